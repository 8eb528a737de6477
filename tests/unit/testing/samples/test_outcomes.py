"""Do the evaluators, put together as a user gets them, say of each sample what it was written for?"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import msgspec
import pytest

from healing_eval.config import Settings
from healing_eval.domain.evaluation import Findings, Verdict
from healing_eval.domain.verdict import weigh
from healing_eval.formats.item import read_local_item
from healing_eval.formats.limits import WireLimits
from healing_eval.panel import build_panel
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.testing.samples.collection import sample_conversations

Judged = tuple[dict[str, Any], Verdict, set[str]]

CONTRADICTIONS = {
    "ungrounded_argument",
    "result_contradicted",
    "self_contradiction",
    "tool_contradiction",
    "user_contradiction",
    "preference_violated",
}


async def judge_samples() -> list[Judged]:
    samples = sample_conversations()
    read = [read_local_item(msgspec.json.encode(sample), project="p", limits=WireLimits()) for sample in samples]
    conversations = [one.conversation for one in read]
    panel = build_panel(Settings())
    judged: list[Judged] = []
    async for place, evaluations in evaluate(conversations, panel.evaluators):
        found = [one.result for one in evaluations if isinstance(one.result, Findings)]
        types = {issue.type for findings in found for issue in findings.issues}
        judged.append((samples[place], weigh(evaluations, panel.rules), types))
    await panel.close()
    return judged


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return asyncio.run(judge_samples())


def test_every_sample_gets_the_outcome_it_was_written_for(judged: list[Judged]) -> None:
    wrong = [
        (sample["conversation_id"], sample["metadata"], verdict.outcome)
        for sample, verdict, _ in judged
        if verdict.outcome != sample["metadata"]["expected_outcome"]
    ]

    assert wrong == []
    assert len(judged) == len(sample_conversations())


def test_at_least_25_conversations_of_each_of_the_first_two_stories_fail_for_the_right_reason(
    judged: list[Judged],
) -> None:
    reasons = {"travel": "result_contradicted", "food": "preference_violated"}

    failing = Counter(
        sample["metadata"]["story"]
        for sample, verdict, types in judged
        if verdict.outcome == "fail" and reasons[sample["metadata"]["story"]] in types
    )

    assert set(failing) == set(reasons)
    assert min(failing.values()) >= 25


def test_nothing_is_contradicted_or_made_up_in_a_sample_that_passes(judged: list[Judged]) -> None:
    found = {kind for _, verdict, types in judged if verdict.outcome == "pass" for kind in types}

    assert found.isdisjoint(CONTRADICTIONS)
