"""How is a revision stored that only adds turns to one already stored?"""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.formats.item import read_conversation, read_item
from healing_eval.formats.limits import UNLIMITED
from healing_eval.formats.prefix import cut, join

ANSWER = {"role": "assistant", "content": "yes"}
ENTRIES = st.lists(
    st.sampled_from(
        [
            {"role": "user", "content": "1.10"},
            {"role": "system", "content": "s", "extra": [1.5, None]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "k", "function": {"name": "t"}}]},
            {"role": "tool", "tool_call_id": "k", "content": "é"},
        ]
    ),
    max_size=6,
).map(lambda entries: [ANSWER, *entries])


def read(body: bytes) -> Any:
    return read_item(body, project="p", limits=UNLIMITED)


@given(ENTRIES, st.integers(1, 7), st.sampled_from(["turns", "messages"]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_was_cut_joins_to_the_same_content(entries: list[Any], kept: int, shape: str, logged: bool) -> None:
    kept = min(kept, len(entries))
    names = {"conversation_id": "c", "agent_version": "v"}
    whole = json.dumps(names | {shape: entries}).encode()
    if shape == "messages" and logged and kept > 1:
        base = json.dumps(names | {shape: entries[: kept - 1], "choices": [{"message": entries[kept - 1]}]}).encode()
    else:
        base = json.dumps(names | {shape: entries[:kept]}).encode()
    if shape == "turns" and any("tool_call_id" in entry or entry["content"] is None for entry in entries):
        return

    left = cut(whole, kept)

    assert left is not None
    assert len(json.loads(left)[shape]) == len(entries) - kept
    joined = read(join(base, left))
    assert (joined.content_hash, joined.turn_hashes) == (read(whole).content_hash, read(whole).turn_hashes)
    assert read_conversation(joined.body, project="p") == read_conversation(whole, project="p")


def test_the_bytes_that_stay_are_verbatim() -> None:
    body = b'{"x": {"n":1.10 }, "turns": [ {"role":"user"}, {"role" :"user","n":2.50} ], "y":"\\u00e9"}'

    assert cut(body, 1) == b'{"x":{"n":1.10 },"turns":[{"role" :"user","n":2.50}],"y":"\\u00e9"}'


@pytest.mark.parametrize("kept", [-1, 3])
def test_what_cannot_be_cut_exactly_is_kept_whole(kept: int) -> None:
    body = msgspec.json.encode({"messages": [ANSWER, ANSWER], "turns": None, "choices": [{"message": ANSWER}]})

    assert cut(body, kept) is None
