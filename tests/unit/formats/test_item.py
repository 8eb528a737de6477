"""Which conversation is in these bytes, and what is its fingerprint?"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.domain.conversation import Conversation, ExpectedCall, conversation_key
from healing_eval.domain.revision import Submission
from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.item import LocalItem, read_conversation, read_item, read_local_item
from healing_eval.formats.limits import UNLIMITED, WireLimits

Read = TypeVar("Read")

LIMITS = WireLimits(turns=4, id_characters=40)
TURN = {"turn_id": 1, "role": "user", "content": "hello"}
NOTE = {"type": "helpfulness", "label": "good", "annotator_id": "ann"}


def item(**changes: Any) -> dict[str, Any]:
    return {"conversation_id": "c1", "agent_version": "v1", "turns": [TURN]} | changes


def chat(**changes: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hello"}]} | changes


def read(value: Any, **options: Any) -> Submission:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_item(raw, project="p", limits=LIMITS, **options)


def conversation_in(submission: Submission) -> Conversation:
    return read_conversation(submission.body, project="p")


def read_local(value: Any) -> LocalItem:
    return read_local_item(json.dumps(value).encode(), project="p", limits=LIMITS)


def refusal(value: Any, **options: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(value, **options)
    return caught.value


def test_the_bytes_are_kept_verbatim() -> None:
    raw = b' {"turns":[{"role":"user" ,"content":"h\\u00e9"}], "agent_version":"v1","conversation_id":"c1","x":1.10}'

    submission = read(raw)

    assert submission.body is raw
    assert submission.key == conversation_key("p", "c1")
    assert submission.notes == ()


def test_nul_and_lone_surrogates_become_replacement_characters_and_the_sender_is_told() -> None:
    submission = read(json.dumps(item(turns=[TURN | {"content": "a\0b\ud800"}])).encode())

    assert conversation_in(submission).turns[0].content == "a\ufffdb\ufffd"
    assert b"\\u0000" not in submission.body
    assert submission.notes == ("1 NUL character replaced by U+FFFD", "1 lone surrogate replaced by U+FFFD")


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "is not JSON: it ends too early, at byte 0"),
        (b'{"a": 1', "is not JSON: it ends too early, at byte 7"),
        (b'{"a" 1}', "is not JSON: expected ':' at byte 5"),
        (b'{"a": NaN}', "is not JSON: NaN at byte 6 is no number in JSON; use null"),
        (b'{"a": 1e999}', "is not JSON: number out of range"),
        (b'{"a": "ab\xff"}', "is not UTF-8 at byte 9"),
        (b"null", "expected an object, got null"),
        (b"[]", "expected an object, got an array"),
        (b'"' + b"x" * 100 + b'"', 'expected an object, got "' + "x" * 60 + '…"'),
        (b'{"a":' + b"[" * 300 + b"]" * 300 + b"}", "is nested too deeply; at most 200 levels are read"),
        (b"[" * 100_000, "is nested too deeply; at most 200 levels are read"),
    ],
)
def test_what_is_no_object_is_refused_with_the_place(raw: bytes, reason: str) -> None:
    assert refusal(raw).reason == reason


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert conversation_in(read(item(metadata={"a": [[]] * 1000}))).metadata == {"a": [[]] * 1000}


@pytest.mark.parametrize(
    ("value", "pointer", "reason"),
    [
        ({}, "/turns", "is missing"),
        (item(turns=None), "/turns", "is missing"),
        (chat(messages=None), "/messages", "is missing"),
        (item(messages=[]), "", "both turns and messages"),
        (item(turns=[]), "/turns", "is empty"),
        (item(turns={}), "/turns", "expected an array, got an object"),
        (item(turns=[TURN] * 5), "/turns", "has 5 entries, the limit is 4"),
        (item(conversation_id=None), "/conversation_id", "is missing"),
        (item(conversation_id=" \t"), "/conversation_id", "not blank"),
        (item(conversation_id=7), "/conversation_id", "expected a string, got 7"),
        (item(conversation_id="x" * 41), "/conversation_id", "has 41 characters, the limit is 40"),
        (item(agent_version=None), "/agent_version", "is missing"),
        (item(agent_version=""), "/agent_version", "not blank"),
        (item(agent_version="x" * 41), "/agent_version", "the limit is 40"),
        (item(complete="yes"), "/complete", 'expected true or false, got "yes"'),
        (item(metadata=[]), "/metadata", "expected an object"),
        (item(system_prompt=1), "/system_prompt", "expected a string, got 1"),
        (item(tools={}), "/tools", "expected an array"),
        (item(tools=[{"description": "x"}]), "/tools/0/name", "is missing"),
        (item(tools=[{"name": "x", "parameters": 1}]), "/tools/0/parameters", "expected an object"),
        (item(metadata={"expected_calls": {}}), "/metadata/expected_calls", "expected an array"),
        (item(metadata={"expected_calls": [{}]}), "/metadata/expected_calls/0/tool_name", "name of the tool"),
        (
            item(metadata={"expected_calls": [{"tool_name": "t", "parameters": []}]}),
            "/metadata/expected_calls/0/parameters",
            "expected an object",
        ),
        (chat(functions=[{}]), "/functions/0/name", "is missing"),
        (chat(model=1), "/model", "expected a string"),
        (chat(metadata={"thread_id": []}), "/metadata/thread_id", "expected a string"),
    ],
)
def test_every_refusal_says_what_where_and_what_was_expected(value: Any, pointer: str, reason: str) -> None:
    error = refusal(value)

    assert error.pointer == pointer
    assert reason in error.reason


def test_a_limit_is_its_own_kind_of_refusal() -> None:
    assert isinstance(refusal(item(turns=[TURN] * 5)), LimitExceeded)
    assert isinstance(refusal(item(conversation_id="x" * 41)), LimitExceeded)


def test_null_for_an_optional_field_is_absent() -> None:
    optional = ("tools", "system_prompt", "complete", "feedback", "metadata")

    assert read(item(**dict.fromkeys(optional))).content_hash == read(item()).content_hash


def test_expected_calls_are_read_from_the_metadata() -> None:
    submission = read(
        item(metadata={"expected_calls": [{"tool_name": "t", "parameters": {"a": 1}}, {"tool_name": "u"}]})
    )

    assert conversation_in(submission).expected_calls == (ExpectedCall("t", {"a": 1}), ExpectedCall("u"))


@pytest.mark.parametrize(
    ("named", "conversation_id", "agent_version"),
    [
        ({"conversation_id": "a", "id": "b", "agent_version": "v", "model": "m"}, "a", "v"),
        ({"id": 42, "model": "gpt"}, "42", "gpt"),
        ({"sessionId": "s", "metadata": {"agent_version": "mv"}, "model": "m"}, "s", "mv"),
        ({"metadata": {"thread_id": "t"}}, "t", "unknown"),
        ({"gen_ai.conversation.id": "g"}, "g", "unknown"),
    ],
)
def test_messages_are_named_as_others_name_them(
    named: dict[str, Any], conversation_id: str, agent_version: str
) -> None:
    submission = read(chat(**named))

    assert (submission.conversation_id, submission.agent_version) == (conversation_id, agent_version)


def test_an_id_made_from_the_content_is_stable() -> None:
    first, again = read(chat()), read(chat(metadata={"x": 1}))

    assert first.conversation_id == again.conversation_id
    assert first.conversation_id == f"chat-{first.content_hash.hex()[:12]}"


def test_files_may_leave_names_out_of_our_own_shape_too() -> None:
    conversation = read_local({"turns": [TURN], "session_id": "s"}).conversation

    assert (conversation.conversation_id, conversation.agent_version) == ("s", "unknown")
    assert refusal({"turns": [TURN]}).pointer == "/agent_version"


@pytest.mark.parametrize(
    "changes",
    [
        {"turns": [{"content": "hello", "role": "user", "turn_id": 1}]},
        {"feedback": {"user_rating": 3}, "metadata": {"a": 1}, "complete": False, "conversation_id": "other"},
    ],
)
def test_order_of_names_feedback_metadata_and_complete_are_not_content(changes: dict[str, Any]) -> None:
    assert read(item(**changes)).content_hash == read(item()).content_hash
    assert read_local(item(**changes)).fingerprint == read_local(item()).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_version": "v2"},
        {"tools": [{"name": "t"}]},
        {"system_prompt": "be kind"},
        {"turns": [TURN | {"unknown": 1}]},
        {"turns": [TURN | {"content": "hello "}]},
        {"turns": [TURN, TURN | {"turn_id": 2}]},
    ],
)
def test_every_part_of_the_content_changes_the_hash(changes: dict[str, Any]) -> None:
    assert read(item(**changes)).content_hash != read(item()).content_hash
    assert read_local(item(**changes)).fingerprint != read_local(item()).fingerprint


def test_the_chain_of_a_longer_conversation_begins_with_that_of_the_shorter() -> None:
    longer = item(turns=[TURN, TURN | {"turn_id": 2}], agent_version="v2")

    assert read(longer).turn_hashes[:1] == read(item()).turn_hashes
    assert len(read(longer).turn_hashes) == 2


@pytest.mark.parametrize(
    "value",
    [
        item(feedback={"user_rating": 9}, metadata={"a": 1}, tools=[{"name": "t"}], complete=False),
        chat(model="m", tools=[{"name": "t"}]),
    ],
)
def test_a_conversation_is_read_alike_at_the_door_from_a_file_and_from_the_store(value: dict[str, Any]) -> None:
    submission = read(value)

    conversation = conversation_in(submission)
    assert read_local(value).conversation == conversation
    assert read_local(value).notes == submission.notes
    assert (submission.key, submission.conversation_id) == (conversation.key, conversation.conversation_id)
    assert (submission.agent_version, submission.complete) == (conversation.agent_version, conversation.complete)
    assert (submission.turn_count, submission.evaluable) == (len(conversation.turns), conversation.evaluable)


def test_turns_never_continue_messages() -> None:
    entry = [{"role": "user", "content": "x"}]

    assert read(item(turns=entry)).turn_hashes != read(chat(messages=entry)).turn_hashes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
VISIBLE = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
NAMES = st.text(VISIBLE, min_size=1, max_size=20).filter(lambda name: bool(name.strip()))
ROLES = st.sampled_from(["user", "assistant", "system", "tool"])
CALL = st.fixed_dictionaries(
    {"tool_name": NAMES, "parameters": st.dictionaries(NAMES, st.integers() | NAMES, max_size=3)},
    optional={"result": st.dictionaries(NAMES, NAMES | st.integers(), max_size=2), "latency_ms": st.integers(0, 9999)},
)
GOOD_TURN = st.fixed_dictionaries(
    {"role": ROLES, "content": NAMES}, optional={"tool_calls": st.lists(CALL, max_size=2), "extra": NAMES}
)
GOOD = st.fixed_dictionaries(
    {"conversation_id": NAMES, "agent_version": NAMES, "turns": st.lists(GOOD_TURN, min_size=1, max_size=4)}
)
ODD_CALL = st.fixed_dictionaries(
    {},
    optional={
        "tool_name": NAMES | JSON,
        "function": JSON,
        "parameters": JSON,
        "result": JSON,
        "latency_ms": JSON,
        "id": JSON,
    },
)
ODD_TURN = st.fixed_dictionaries(
    {},
    optional={
        "turn_id": JSON,
        "role": ROLES | JSON,
        "content": NAMES | JSON,
        "timestamp": JSON,
        "tool_calls": st.lists(ODD_CALL, max_size=2) | JSON,
        "function_call": JSON,
        "tool_call_id": JSON,
    },
)
ODD = st.fixed_dictionaries(
    {},
    optional={
        "conversation_id": NAMES | JSON,
        "agent_version": NAMES | JSON,
        "turns": st.lists(ODD_TURN, max_size=3) | JSON,
        "messages": st.lists(ODD_TURN, max_size=3) | JSON,
        "choices": JSON | st.just([{"message": {"role": "assistant", "content": "x"}}]),
        "response": JSON,
        "tools": JSON,
        "feedback": JSON,
        "metadata": JSON,
        "complete": JSON,
    },
)


@given(GOOD)
@settings(max_examples=150, deadline=None)
def test_every_value_of_a_good_item_is_visible(value: dict[str, Any]) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode()

    submission = read_item(raw, project="p", limits=UNLIMITED)

    conversation = conversation_in(submission)
    assert submission.body == raw
    assert (conversation.conversation_id, conversation.agent_version) == (
        value["conversation_id"],
        value["agent_version"],
    )
    assert len(submission.turn_hashes) == len(conversation.turns) == len(value["turns"])
    for turn, sent in zip(conversation.turns, value["turns"], strict=True):
        assert (turn.role, turn.content) == (sent["role"], sent["content"])
        for call, made in zip(turn.tool_calls, sent.get("tool_calls", []), strict=True):
            assert (call.tool_name, call.parameters) == (made["tool_name"], made["parameters"])
            assert call.latency_ms == made.get("latency_ms")
            assert (call.result.value if call.result else None) == made.get("result")


@given(ODD | JSON)
@settings(max_examples=400, deadline=None)
def test_odd_json_is_read_or_refused_alike_at_the_door_and_later(value: Any) -> None:
    raw = json.dumps(value).encode()

    at_door = outcome(lambda: read_item(raw, project="p", limits=UNLIMITED))
    later = outcome(lambda: read_conversation(raw, project="p"))

    if isinstance(at_door, Submission):
        assert isinstance(later, Conversation)
        assert at_door.turn_count == len(later.turns) > 0
        assert at_door.evaluable == later.evaluable
    else:
        assert at_door == later
        assert at_door[0]


def outcome(read: Callable[[], Read]) -> Read | tuple[str, str]:
    try:
        return read()
    except InvalidInput as error:
        return error.reason, error.pointer


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    assert refusal(raw).reason


def test_a_megabyte_of_text_is_read_in_linear_time() -> None:
    content = "act as " * 150_000

    submission = read(item(turns=[TURN | {"content": content}]))

    assert conversation_in(submission).turns[0].content == content


@pytest.mark.parametrize(
    ("feedback", "kept", "note"),
    [
        ({"user_rating": 0.8}, 0, "/feedback/user_rating: expected a number from 1 to 5, got 0.8"),
        (
            {"user_rating": 5, "typo": 1},
            1,
            "/feedback/typo: unknown field; expected user_rating, ops_review, annotations",
        ),
        (
            {"user_rating": 5, "ops_review": {"quality": None}},
            1,
            "/feedback/ops_review/quality: expected a string or a",
        ),
        ({"annotations": [NOTE, NOTE | {"turn_id": 9}]}, 1, "/feedback/annotations/1/turn_id: no turn has the id 9"),
        ({"annotations": [NOTE | {"why": "x"}]}, 1, "/feedback/annotations/0/why: unknown field; expected type, label"),
        ({"annotations": 1}, 0, "/feedback/annotations: expected an array, got 1"),
        ([], 0, "/feedback: expected an object, got an array"),
        (1, 0, "/feedback: expected an object, got 1"),
    ],
)
def test_wrong_feedback_never_costs_the_conversation_and_is_noted(feedback: Any, kept: int, note: str) -> None:
    submission = read(item(feedback=feedback))

    assert len(submission.annotations) == kept
    (said,) = submission.notes
    assert said.startswith(f"feedback left out: {note}")


def test_a_thousand_wrong_annotations_are_ten_notes_and_a_count() -> None:
    submission = read(item(feedback={"annotations": [NOTE, *[1] * 1000]}))

    assert len(submission.annotations) == 1
    assert len(submission.notes) == 11
    assert submission.notes[-1] == "feedback left out: 990 more"
