from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from healing_eval.errors import InvalidInput, LimitExceeded
from healing_eval.formats.limits import WireLimits
from healing_eval.formats.turns import read_content, read_entries, read_role, read_timestamp, read_turn_id

LIMITS = WireLimits(turns=2, id_characters=5)


@pytest.mark.parametrize(
    ("sent", "role"), [("user", "user"), ("human", "user"), ("ai", "assistant"), ("developer", "system")]
)
def test_a_role_has_many_names(sent: str, role: str) -> None:
    assert read_role(sent) == role


@pytest.mark.parametrize("sent", [None, "hacker", "User", 5, ["user"], {}])
def test_an_unknown_role_is_refused_with_the_known_ones(sent: Any) -> None:
    with pytest.raises(InvalidInput, match="assistant") as refused:
        read_role(sent)

    assert refused.value.pointer == "/role"


@pytest.mark.parametrize(
    "sent", ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00", "2026-01-31T17:00:00+05:00", "2026-01-31 12:00:00Z"]
)
def test_a_time_is_utc_unless_it_says_otherwise(sent: str) -> None:
    assert read_timestamp(sent) == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("sent", [5, "yesterday", "", "0001-01-01T00:00:00+05:00", "2026-13-01T00:00:00Z", []])
def test_what_is_no_time_is_refused(sent: Any) -> None:
    with pytest.raises(InvalidInput, match="RFC 3339"):
        read_timestamp(sent)


def test_a_turn_without_an_id_is_named_by_its_place() -> None:
    assert [read_turn_id(sent, 7, LIMITS) for sent in (None, 3, "a")] == [7, 3, "a"]


@pytest.mark.parametrize("sent", [True, 1.5, "", " ", [], "sixsix"])
def test_an_id_that_names_nothing_is_refused(sent: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_turn_id(sent, 1, LIMITS)

    assert refused.value.pointer == "/turn_id"


def test_parts_are_joined_and_what_is_no_text_is_named() -> None:
    parts = [
        "plain",
        {"type": "text", "text": "said"},
        {"type": "refusal", "refusal": "no"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "input_audio"},
    ]

    assert read_content(parts) == "plain\nsaid\nno\n[image]\n[audio]"
    assert read_content([]) == ""


@pytest.mark.parametrize(
    ("sent", "pointer"), [(None, "/content"), (5, "/content"), ([5], "/content/0"), ([{"text": 5}], "/content/0/text")]
)
def test_what_is_no_content_is_refused_where_it_stands(sent: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_content(sent)

    assert refused.value.pointer == pointer


@pytest.mark.parametrize("sent", [None, [], {}, "turns"])
def test_a_conversation_has_entries(sent: Any) -> None:
    with pytest.raises(InvalidInput):
        read_entries({"turns": sent}, "turns", LIMITS)


def test_more_entries_than_the_limit_are_refused_with_the_limit() -> None:
    with pytest.raises(LimitExceeded, match="has 3 entries, the limit is 2"):
        read_entries({"turns": [{}] * 3}, "turns", LIMITS)
