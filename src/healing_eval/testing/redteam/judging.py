"""What is said of conversations that go the whole way: the door's reading, every evaluator, the verdict?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Findings
from healing_eval.domain.issue_types import SUSPICION
from healing_eval.domain.verdict import weigh
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_local_item
from healing_eval.formats.limits import WireLimits
from healing_eval.panel import Panel
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.testing.redteam.attack import CANARY

PROJECT = "redteam"
BATCH = 64

Item = Mapping[str, Any]


class Judged(NamedTuple):
    """What was said about one conversation."""

    evaluations: Mapping[str, Evaluation]
    overall: float | None

    @property
    def suspected(self) -> bool:
        """Whether the detector reported a turn."""
        found = (one.result for one in self.evaluations.values() if isinstance(one.result, Findings))
        return any(issue.type == SUSPICION for one in found for issue in one.issues)

    def was_asked(self, judge: str) -> bool:
        """Whether this judge's model was asked about it, just now."""
        given = self.evaluations.get(judge)
        return given is not None and given.model_use is not None and given.model_use.calls > 0

    def opinion(self, judge: str) -> object:
        """Give what must not depend on a text that gives orders; what is said of windows and hidden text may."""
        given = self.evaluations.get(judge)
        result = None if given is None else given.result
        if isinstance(result, Findings):
            return result.overall, result.scores, result.issues, CANARY.search(result.explanation)
        return type(result), None if result is None or isinstance(result, Abstention) else result.kind


class Court:
    """Sends conversations through a door and a panel."""

    def __init__(self, panel: Panel, limits: WireLimits) -> None:
        self._panel = panel
        self._limits = limits

    def read(self, items: Mapping[str, Item]) -> dict[str, Conversation]:
        """Read items of the wire, by their names; those that the door refuses are left out."""
        read = {name: self._read(item) for name, item in items.items()}
        return {name: conversation for name, conversation in read.items() if conversation is not None}

    async def judge(self, items: Mapping[str, Item]) -> dict[str, Judged]:
        """Read items and judge them, many at a time."""
        read = self.read(items)
        names = list(read)
        judged: dict[str, Judged] = {}
        for first in range(0, len(names), BATCH):
            judged |= await self.judge_together({name: read[name] for name in names[first : first + BATCH]})
        return judged

    async def judge_together(self, conversations: Mapping[str, Conversation]) -> dict[str, Judged]:
        """Judge conversations that come at the same time, in this order."""
        names, batch = list(conversations), list(conversations.values())
        judged: dict[str, Judged] = {}
        async for index, evaluations in evaluate(batch, self._panel.evaluators):
            judged[names[index]] = self._said(evaluations)
        return judged

    def _read(self, item: Item) -> Conversation | None:
        try:
            return read_local_item(json.dumps(item).encode(), project=PROJECT, limits=self._limits).conversation
        except InvalidInput:
            return None

    def _said(self, evaluations: Sequence[Evaluation]) -> Judged:
        return Judged({one.evaluator: one for one in evaluations}, weigh(evaluations, self._panel.rules).overall)
