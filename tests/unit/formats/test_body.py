"""Which conversations are in the body of a POST?"""

import json
from typing import Any

import pytest

from healing_eval.domain.revision import Submission
from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.body import Rejection, read_body
from healing_eval.formats.limits import WireLimits

LIMITS = WireLimits(batch=5)


def good(name: str = "c") -> bytes:
    turns = [{"role": "user", "content": "hi"}]
    return json.dumps({"conversation_id": name, "agent_version": "v", "turns": turns}).encode()


def read(body: bytes, content_type: str = "application/json") -> list[Submission | Rejection]:
    return read_body(body, content_type, project="p", limits=LIMITS)


def envelope(*items: bytes) -> bytes:
    return b'{"conversations": [' + b", ".join(items) + b"]}"


@pytest.mark.parametrize(
    ("bad", "pointer", "reason"),
    [
        (b"null", "", "expected an object, got null"),
        (b'{"a" 1}', "", "is not JSON: expected ':' at byte 5"),
        (b"[" * 5000 + b"]" * 5000, "", "is nested too deeply"),
        (b'{"a": "\xff"}', "", "is not UTF-8 at byte 7"),
        (b'{"conversation_id": "x", "agent_version": "v", "turns": []}', "/turns", "is empty"),
    ],
)
def test_one_bad_item_never_costs_the_good_ones(bad: bytes, pointer: str, reason: str) -> None:
    first, rejected, last = read(envelope(good("a"), bad, good("b")))

    assert isinstance(first, Submission)
    assert isinstance(last, Submission)
    assert isinstance(rejected, Rejection)
    assert (first.body, last.body) == (good("a"), good("b"))
    assert (rejected.index, rejected.pointer) == (1, pointer)
    assert reason in rejected.reason
    assert rejected.conversation_id == ("x" if pointer else None)


def test_a_lone_surrogate_is_repaired_and_its_neighbours_stay_as_they_are() -> None:
    repaired, sound = read(envelope(good().replace(b"hi", rb"\ud800"), good()))

    assert isinstance(repaired, Submission)
    assert isinstance(sound, Submission)
    assert repaired.notes == ("1 lone surrogate replaced by U+FFFD",)
    assert sound.body == good()


def test_a_body_that_is_cut_off_keeps_what_came_whole() -> None:
    taken, rejected = read(envelope(good(), good())[:-10])

    assert isinstance(taken, Submission)
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "is cut off: the input ends before it is closed"


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "Application/JSONL; charset=utf-8"])
def test_lines_are_read_when_the_content_type_says_so(content_type: str) -> None:
    taken, rejected, last = read(good() + b"\njunk\n" + good(), content_type)

    assert isinstance(taken, Submission)
    assert rejected == Rejection(1, None, "", "is not JSON: invalid character at byte 0")
    assert isinstance(last, Submission)


@pytest.mark.parametrize(
    "bad",
    [[b"junk1", b"junk2"], [b"5", b"null", b'"x"'], [b"{broken", b"{broken"], [b"[", b"]"], [b"[]", b'{"a": "', b"}"]],
)
@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\n\n \n\x1e"])
def test_each_line_has_one_answer_in_its_place(bad: list[bytes], line_break: bytes) -> None:
    body = b"\xef\xbb\xbf" + line_break.join([good("a"), *bad, good("b")]) + line_break

    first, *rejected, last = read(body, "application/x-ndjson")

    assert isinstance(first, Submission)
    assert isinstance(last, Submission)
    assert [one.index for one in rejected if isinstance(one, Rejection)] == list(range(1, len(bad) + 1))


@pytest.mark.parametrize(
    ("body", "content_type", "pointer"),
    [
        (b"", "application/json", ""),
        (b"nonsense", "application/json", ""),
        (b"[]", "application/json", ""),
        (b"null", "application/json", ""),
        (b"{}", "application/json", "/conversations"),
        (b'{"conversations": null}', "application/json", "/conversations"),
        (b'{"conversations": {}}', "application/json", "/conversations"),
        (b'{"conversations": []}', "application/json", "/conversations"),
        (b"[" * 5000, "application/json", ""),
        (b'{"x": [' + b"0," * 1_000_001 + b"0]}", "application/json", "/conversations"),
        (b" \n", "application/x-ndjson", ""),
    ],
)
def test_a_body_that_holds_no_conversations_is_refused_as_a_whole(body: bytes, content_type: str, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(body, content_type)

    assert caught.value.pointer == pointer
    assert caught.value.reason


@pytest.mark.parametrize(
    "body", [envelope(*[good()] * 6), envelope(*[good()] * 6)[:-1], envelope(b"0," * 1_000_001 + b"0")]
)
def test_more_than_a_batch_is_refused_with_the_limit(body: bytes) -> None:
    with pytest.raises(LimitExceeded, match="more than 5 conversations"):
        read(body)


def test_a_whole_batch_is_taken_with_a_byte_order_mark() -> None:
    results: list[Any] = read(b"\xef\xbb\xbf" + envelope(*[good()] * 5))

    assert all(isinstance(result, Submission) for result in results)
