from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from healing_eval.formats.item import read_item
from healing_eval.formats.limits import WireLimits
from healing_eval.testing.samples.collection import sample_conversations


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Any]]:
    return sample_conversations()


def calls_of(sample: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for turn in sample["turns"] for call in turn.get("tool_calls", [])]


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert json.dumps(sample_conversations(7)) == json.dumps(sample_conversations(7))
    assert json.dumps(sample_conversations(7)) != json.dumps(sample_conversations(8))


def test_there_are_about_300_with_ids_of_their_own(samples: list[dict[str, Any]]) -> None:
    assert 290 <= len(samples) <= 310
    assert len({sample["conversation_id"] for sample in samples}) == len(samples)


def test_each_is_a_valid_item(samples: list[dict[str, Any]]) -> None:
    read = [read_item(msgspec.json.encode(s), project="p", limits=WireLimits()) for s in samples]

    assert all(submission.evaluable and not submission.notes for submission in read)


def test_at_least_25_conversations_fail_in_each_of_the_first_two_stories(samples: list[dict[str, Any]]) -> None:
    failing = Counter(s["metadata"]["story"] for s in samples if s["metadata"]["expected_outcome"] == "fail")

    assert set(failing) == {"travel", "food"}
    assert min(failing.values()) >= 25


def test_15_percent_of_the_new_versions_calls_fail_because_of_their_date(samples: list[dict[str, Any]]) -> None:
    calls = [call for s in samples if s["agent_version"] == "travel-2.4.0" for call in calls_of(s)]
    slashed = [call for call in calls if "/" in call["parameters"]["departure_date"]]

    assert len(slashed) / len(calls) == pytest.approx(0.15)
    assert {call["result"].get("error") for call in slashed} == {"invalid date"}
    assert all("error" not in call["result"] for call in calls if call not in slashed)


def test_no_call_of_the_old_version_fails(samples: list[dict[str, Any]]) -> None:
    calls = [call for s in samples if s["agent_version"] == "travel-2.3.0" for call in calls_of(s)]

    assert calls
    assert all("error" not in call["result"] for call in calls)


def test_two_annotators_disagree_in_half_of_the_doubly_annotated(samples: list[dict[str, Any]]) -> None:
    doubly = [s["feedback"]["annotations"] for s in samples if len(s.get("feedback", {}).get("annotations", [])) == 2]
    disagreeing = [pair for pair in doubly if pair[0]["label"] != pair[1]["label"]]

    assert {one["annotator_id"] for pair in doubly for one in pair} == {"ann_01", "ann_02"}
    assert len(disagreeing) / len(doubly) == pytest.approx(0.5)
