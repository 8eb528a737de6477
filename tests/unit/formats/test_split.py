"""Where does one conversation end and the next begin?"""

import json
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.formats.split import RawItem, iter_items

A = b'{"turns": [{"role": "user", "content": "a } ] \\" \\\\ {"}], "n": 1}'
B = b'{"messages": [{"role": "user", "content": "b, [\\u00e9\\n"}], "n": 2}'


def split(stream: bytes, size: int | None = None, **options: int) -> list[RawItem]:
    step = size or max(1, len(stream))
    return list(iter_items((stream[at : at + step] for at in range(0, len(stream), step)), **options))


def raws(stream: bytes, **options: int) -> list[bytes]:
    return [item.raw for item in split(stream, **options)]


def pretty(value: bytes) -> bytes:
    return json.dumps(json.loads(value), indent=2).encode()


@pytest.mark.parametrize(
    "stream",
    [
        A + b"\n" + B,
        b"\xef\xbb\xbf" + A + b"\r\n\r\n" + B + b"\r\n",
        A + B,
        b"\x1e" + A + b"\n\x1e" + B + b"\n",
        b"[" + A + b"," + B + b"]",
        b" [\n " + A + b" ,\n" + B + b"\n]\n",
        b'{"conversations":[' + A + b"," + B + b"]}",
        b'{"meta": {"conversations": [1]}, "x": "conversations", "conversations" : [' + A + b"," + B + b'], "y": [2]}',
        b'{"conversations": []}\n{"conversations": [' + A + b"]}" + B,
    ],
)
def test_every_kind_of_stream_gives_the_same_items(stream: bytes) -> None:
    assert raws(stream) == [A, B]
    assert not any(item.problem for item in split(stream))


def test_pretty_printed_items_are_verbatim() -> None:
    assert raws(pretty(A) + b"\n" + pretty(B)) == [pretty(A), pretty(B)]


def test_a_pretty_envelope_names_the_line_of_each_item() -> None:
    stream = json.dumps({"conversations": [{"turns": []}, {"turns": []}]}, indent=1).encode()

    assert [(item.index, item.line, item.container) for item in split(stream)] == [
        (0, 3, "envelope"),
        (1, 6, "envelope"),
    ]


def test_lines_are_counted_over_blank_ones() -> None:
    assert [item.line for item in split(A + b"\n\n" + B + b"\n" + A)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"turns": [{"role": "user}]', "inside a string"),
        (b'{"turns": [{"role": "user"', "next conversation begins"),
        (b'{"turns": [{"role": "us\\', "inside a string"),
        (b'{"turns" []}', None),
        (b'{"turns": [}', "next conversation begins"),
        (b"nonsense", "expected an object"),
        (b"null", "expected an object"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, None])
def test_a_bad_line_costs_no_other(bad: bytes, problem: str | None, size: int | None) -> None:
    items = split(A + b"\n" + bad + b"\n" + B + b"\n" + A, size)

    assert [items[0].raw, *(item.raw for item in items[-2:])] == [A, B, A]
    assert len(items) == 4
    assert (items[1].line, items[1].index) == (2, 1)
    assert problem in (items[1].problem or "") if problem else items[1].problem is None


@pytest.mark.parametrize("size", [1, 7, None])
def test_bad_lines_in_a_row_are_an_item_each(size: int | None) -> None:
    long = b"x" * 1000

    items = split(b"\n".join([A, b"junk1", b"5", long, b"null", B]), size)

    assert [item.raw for item in items] == [A, b"junk1", b"5", b"x" * 64, b"null", B]
    assert [item.index for item in items] == [0, 1, 2, 3, 4, 5]
    assert [item.line for item in items] == [1, 2, 3, 4, 5, 6]
    assert all(item.problem for item in items[1:-1])


@pytest.mark.parametrize("size", [1, 7, None])
def test_a_long_number_in_an_array_is_one_item(size: int | None) -> None:
    items = split(b"[" + A + b", " + b"1" * 1000 + b", " + B + b"]", size)

    assert [item.raw for item in items] == [A, b"1" * 64, B]


@pytest.mark.parametrize("piece", [b"\x00\x01\n", b"a", b"\x00 \xff\n\n"])
def test_a_binary_file_takes_little_memory(piece: bytes) -> None:
    chunks = (piece * (65536 // len(piece)) for _ in range(16))

    tracemalloc.start()
    count = sum(1 for _ in iter_items(chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count
    assert peak < 1_000_000


def test_a_cut_off_item_costs_no_other_item_of_an_array_with_one_on_each_line() -> None:
    items = split(b"[\n" + A + b',\n{"turns": [,\n' + B + b",\n" + A + b"\n]")

    assert [items[0].raw, items[2].raw, items[3].raw] == [A, B, A]
    assert items[1].problem == "is cut off: the next conversation begins before this one is closed"


def test_odd_items_of_an_array_are_kept_for_the_reader_to_refuse() -> None:
    stream = b'[null, 1.5, "te,x]t\n", {"a" 1}, {"b": "raw\nbreak"}, [1], }, ' + A + b"]"

    assert raws(stream) == [b"null", b"1.5", b'"te,x]t\n"', b'{"a" 1}', b'{"b": "raw\nbreak"}', b"[1]", b"}", A]


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"[" + A, "is missing: the input ends before the array is closed"),
        (b'{"conversations": [' + A + b",", "is missing: the input ends before the array is closed"),
        (b"[" + A + b', {"turns": [', "is cut off: the input ends before it is closed"),
        (A + b'\n{"turns": [', "is cut off: the input ends before it is closed"),
        (b'{"conversations": [' + A + b'], "x": 1', "is cut off: the input ends before it is closed"),
        (b'{"conversations": [' + A + b'], "x": "y\n', "is cut off: its line ends inside a string"),
    ],
)
def test_an_unbalanced_end_is_a_problem(stream: bytes, problem: str) -> None:
    items = split(stream)

    assert items[0].raw == A
    assert problem in [item.problem for item in items]


@pytest.mark.parametrize("stream", [b"", b" \n\n", b"\xef\xbb\xbf", b"[]", b'{"conversations":[]}'])
def test_an_empty_stream_has_no_items(stream: bytes) -> None:
    assert split(stream) == []


@pytest.mark.parametrize("size", [1, 100, None])
@pytest.mark.parametrize("envelope", [True, False])
def test_an_item_over_the_limit_is_reported_and_skipped(size: int | None, envelope: bool) -> None:
    large = b'{"turns": [' + b'{"content": "xyz"},' * 100 + b"1]}"
    stream = b'{"conversations":[%s,%s]}' % (large, B) if envelope else large + b"\n" + B

    items = split(stream, size, max_item_bytes=200)

    assert (items[0].raw, items[0].problem) == (b"", f"has {len(large)} bytes, the limit is 200")
    assert items[1].raw == B


def test_the_envelope_is_found_behind_more_than_an_item_may_hold() -> None:
    stream = b'{"notes": "' + b"x" * 5000 + b'", "conversations": [' + A + b"]}"

    assert [item.raw for item in split(stream, 1, max_item_bytes=200)] == [A]


def test_a_long_stream_takes_little_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"conversations":['
        for _ in range(30):
            yield (A + b",") * 1000
        yield A + b"]}"

    tracemalloc.start()
    count = sum(1 for _ in iter_items(chunks(), max_item_bytes=1 << 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 30_001
    assert peak < 1_000_000


@pytest.mark.parametrize(
    "piece", [b'\\"', b"\\\\", b"{", b"\n{", b'"', b"[", b"a\n", b'{"turns":\n', b"},", b'"conversations":']
)
def test_a_megabyte_of_anything_is_split_in_linear_time(piece: bytes) -> None:
    stream = b'{"turns": ["' + piece * (1_000_000 // len(piece))

    assert split(stream, 65536)


STREAMS = st.lists(
    st.sampled_from(
        [
            A,
            B,
            pretty(A),
            b"\n",
            b"\n",
            b" ",
            b",",
            b"[",
            b"]",
            b"{",
            b"}",
            b'"',
            b"\\",
            b'{"conversations":[',
            b"x1",
            b"\r",
        ]
    ),
    max_size=25,
).map(b"".join)


@given(STREAMS, st.integers(1, 40), st.sampled_from([60, 100, 10_000]))
@settings(max_examples=200, deadline=None)
def test_where_the_chunks_are_cut_makes_no_difference(stream: bytes, size: int, limit: int) -> None:
    assert split(stream, size, max_item_bytes=limit) == split(stream, max_item_bytes=limit)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_split(stream: bytes) -> None:
    items = split(stream)

    assert [item.index for item in items] == list(range(len(items)))
