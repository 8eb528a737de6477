"""Does every file become conversations, and does what cannot be read say where and why?"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from healing_eval.cli.reading import CHUNK, Reader, Refused, size_of
from healing_eval.formats.item import LocalItem
from healing_eval.sections import Limits
from healing_eval.testing.builders import a_conversation, a_turn, wire_item

TWO = [wire_item(a_conversation("a")), wire_item(a_conversation("b"))]
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}


def read(*files: Path) -> list[LocalItem | Refused]:
    return list(Reader("default", Limits(), lambda n: None).read([str(file) for file in files]))


def ids(found: list[LocalItem | Refused]) -> list[str]:
    assert not [one for one in found if isinstance(one, Refused)]
    return [one.conversation.conversation_id for one in found if isinstance(one, LocalItem)]


def write(folder: Path, content: bytes, name: str = "file.json") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    "content",
    [
        msgspec.json.encode(TWO),
        msgspec.json.encode({"conversations": TWO}),
        msgspec.json.format(msgspec.json.encode({"conversations": TWO}), indent=2),
        b"\n".join(msgspec.json.encode(one) for one in TWO),
    ],
    ids=["array", "envelope", "pretty envelope", "lines"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_format_is_read_packed_or_not(tmp_path: Path, content: bytes, packed: bool) -> None:
    file = write(tmp_path, gzip.compress(content) if packed else content)

    assert ids(read(file)) == ["a", "b"]


def test_openai_chat_lines_get_names_made_from_their_content(tmp_path: Path) -> None:
    file = write(tmp_path, msgspec.json.encode(CHAT) + b"\n")

    assert ids(read(file))[0].startswith("chat-")


def test_gzip_files_put_together_are_one(tmp_path: Path) -> None:
    packed = [gzip.compress(msgspec.json.encode(one) + b"\n") for one in TWO]

    assert ids(read(write(tmp_path, b"".join(packed)))) == ["a", "b"]


def test_what_cannot_be_read_says_where_and_the_rest_is_read(tmp_path: Path) -> None:
    bad = TWO[0] | {"turns": [{"turn_id": 1, "role": "robot", "content": ""}]}
    file = write(tmp_path, b"\n".join([msgspec.json.encode(TWO[0]), b"{nonsense", msgspec.json.encode(bad)]))

    first, second, third = read(file)

    assert isinstance(first, LocalItem)
    assert isinstance(second, Refused)
    assert (second.file, second.line) == (str(file), 2)
    assert isinstance(third, Refused)
    assert (third.line, third.pointer) == (3, "/turns/0/role")
    assert str(third).startswith(f"{file}, line 3, /turns/0/role: ")


def test_an_item_of_an_array_on_one_line_is_told_by_its_place(tmp_path: Path) -> None:
    file = write(tmp_path, msgspec.json.encode([TWO[0], {"conversation_id": "x"}]))

    _, refused = read(file)

    assert str(refused).startswith(f"{file}, line 1, item 2, /turns: ")


@pytest.mark.parametrize("damage", [lambda packed: packed[:-20], lambda packed: packed[:-20] + b"x" * 20])
def test_damaged_gzip_costs_only_what_comes_after(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    many = b"".join(msgspec.json.encode(wire_item(a_conversation(f"c{n}"))) + b"\n" for n in range(100))
    broken = write(tmp_path, damage(gzip.compress(many)), "broken.gz")
    whole = write(tmp_path, msgspec.json.encode(TWO), "whole.json")

    found = read(broken, whole)

    refused = [str(one) for one in found if isinstance(one, Refused)]
    assert any("gzip data" in one for one in refused)
    assert ids([one for one in found if isinstance(one, LocalItem)])[-2:] == ["a", "b"]


def test_unpacking_never_holds_more_than_a_chunk_of_a_bomb(tmp_path: Path) -> None:
    bomb = write(tmp_path, gzip.compress(b" " * (300 * CHUNK) + msgspec.json.encode(TWO[0])))

    assert ids(read(bomb)) == ["a"]


def test_an_item_beyond_the_limit_is_refused_and_names_it(tmp_path: Path) -> None:
    huge = wire_item(a_conversation("huge", [a_turn(1, "user", "x" * 50_000), a_turn(2, "assistant", "ok")]))
    file = write(tmp_path, b"\n".join(msgspec.json.encode(one) for one in [huge, TWO[1]]))

    found = list(Reader("default", Limits(body_bytes=10_000), lambda n: None).read([str(file)]))

    assert isinstance(found[0], Refused)
    assert "10000" in found[0].reason
    assert ids(found[1:]) == ["b"]


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert read(write(tmp_path, b"")) == []


def test_every_byte_read_is_reported(tmp_path: Path) -> None:
    file = write(tmp_path, msgspec.json.encode(TWO))
    reported: list[int] = []

    list(Reader("default", Limits(), reported.append).read([str(file)]))

    assert sum(reported) == file.stat().st_size == size_of([str(file)])


def test_standard_input_has_no_size() -> None:
    assert size_of(["-"]) is None


def refusals(*files: Path) -> list[str]:
    return [str(one) for one in read(*files) if isinstance(one, Refused)]


def test_a_missing_file_and_a_folder_are_refused_and_the_rest_is_read(tmp_path: Path) -> None:
    good = write(tmp_path, msgspec.json.encode(TWO), "good.json")

    found = read(tmp_path / "missing.json", tmp_path, good)

    assert [str(one) for one in found[:2]] == [
        f"{tmp_path}/missing.json: No such file or directory",
        f"{tmp_path}: is a directory; expected a file",
    ]
    assert ids(found[2:]) == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf_16_is_recognised_and_said_once(tmp_path: Path, encoding: str, packed: bool) -> None:
    content = b"\n".join(msgspec.json.encode(one) for one in TWO).decode().encode(encoding)
    file = write(tmp_path, gzip.compress(content) if packed else content)

    assert refusals(file) == [f"{file}: looks like UTF-16; expected UTF-8"]


def test_a_binary_file_is_refused_once(tmp_path: Path) -> None:
    file = write(tmp_path, b"PAR1\x15\x04\x15" + b"\x00\n{\x01\n[" * 1000)

    assert refusals(file) == [f"{file}: looks binary; expected JSON as UTF-8 text, gzipped or not"]


@pytest.mark.parametrize(
    "before",
    [b"", b"\xef\xbb\xbf", b"\x1e", b"\n\n", b"a line of a log \x1b[0m\n"],
    ids=["nothing", "bom", "rs", "blank", "log"],
)
def test_text_is_never_taken_for_binary(tmp_path: Path, before: bytes) -> None:
    odd = b'{"conversation_id": "odd \x00\x01"}\n'
    file = write(tmp_path, before + odd + msgspec.json.encode(TWO[0]))

    read_ids = [one.conversation.conversation_id for one in read(file) if isinstance(one, LocalItem)]

    assert read_ids == ["a"]


def test_python_s_nan_is_refused_with_what_to_write_instead(tmp_path: Path) -> None:
    file = write(tmp_path, json.dumps(TWO[0] | {"metadata": {"score": float("nan")}}).encode())

    (told,) = refusals(file)

    assert "NaN" in told
    assert "use null" in told


@pytest.mark.parametrize("indent", [None, 2])
def test_a_bare_array_of_messages_is_explained_once(tmp_path: Path, indent: int | None) -> None:
    file = write(tmp_path, json.dumps(CHAT["messages"], indent=indent).encode())

    (told,) = refusals(file)

    assert "an array of 2 messages is one conversation" in told
    assert '{"messages": […]}' in told


def test_a_message_among_conversations_costs_only_itself(tmp_path: Path) -> None:
    file = write(tmp_path, msgspec.json.encode([TWO[0], CHAT["messages"][0], TWO[1]]))

    found = read(file)

    assert [type(one) for one in found] == [LocalItem, Refused, LocalItem]


def test_a_file_without_a_conversation_is_mentioned(tmp_path: Path) -> None:
    empty, full = write(tmp_path, b"", "empty.json"), write(tmp_path, msgspec.json.encode(TWO), "full.json")
    notes: list[str] = []

    list(Reader("default", Limits(), lambda n: None, notes.append).read([str(empty), str(full)]))

    assert notes == [f"{empty} holds no conversation"]


def test_what_is_missing_adds_nothing_to_the_size(tmp_path: Path) -> None:
    file = write(tmp_path, b"12345")

    assert size_of([str(file), str(tmp_path / "missing"), str(tmp_path)]) == 5
