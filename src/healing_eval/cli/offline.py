"""How is a stream of conversations evaluated without a store, in bounded memory?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from healing_eval.cli.reading import Refused
from healing_eval.cli.repeats import Repeats
from healing_eval.domain.evaluation import Evaluation, Missing, Verdict
from healing_eval.domain.verdict import weigh
from healing_eval.formats.item import LocalItem
from healing_eval.panel import Panel
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.pipeline.summary import Summary

BATCH = 64
MODEL_BATCH = 32
"""With a judge, which asks about a whole batch at the same time: a model on this machine has not many hands."""
UNEVALUABLE = "unevaluable: no assistant turn"


class Evaluated(msgspec.Struct, frozen=True):
    """One conversation with everything said about it."""

    item: LocalItem
    revision: int
    """1 unless the same conversation came before with other content."""
    verdict: Verdict
    evaluations: tuple[Evaluation, ...]


Emit = Callable[[Sequence[Evaluated]], None]
"""Takes what is done, in the order in which it was read."""

_Batch = list[tuple[LocalItem, int]]
"""Items with their revisions; no conversation twice."""


class OfflineRun:
    """Evaluates what it reads, a batch at a time, and keeps only the summary."""

    def __init__(self, panel: Panel, emit: Emit, refuse: Callable[[Refused], None]) -> None:
        self._panel = panel
        self._most = MODEL_BATCH if panel.models else BATCH
        self._emit = emit
        self._refuse = refuse
        self.summary = Summary()
        self.repeats = Repeats()

    async def run(self, reads: Iterable[LocalItem | Refused]) -> None:
        """Evaluate everything; when interrupted, the summary tells what was done."""
        for batch in self._batches(reads):
            await asyncio.sleep(0)  # lets an interrupt in, even where nothing in the batch has to be waited for
            evaluations = await self._evaluations_of(batch)
            done = [self._conclude(item, revision, evaluations) for item, revision in batch]
            for one in done:
                self._count(one)
            self._emit(done)

    def _batches(self, reads: Iterable[LocalItem | Refused]) -> Iterator[_Batch]:
        batch: _Batch = []
        keys = set[bytes]()
        since_last = 0
        for read in reads:
            since_last += 1
            if isinstance(read, Refused):
                self._refuse(read)
            elif (revision := self.repeats.revision_of(read)) is not None:
                if read.conversation.key in keys:
                    yield batch
                    batch, keys, since_last = [], set[bytes](), 0
                batch.append((read, revision))
                keys.add(read.conversation.key)
            if since_last >= self._most:
                yield batch
                batch, keys, since_last = [], set[bytes](), 0
        yield batch

    async def _evaluations_of(self, batch: _Batch) -> dict[bytes, tuple[Evaluation, ...]]:
        conversations = [one.conversation for one, _ in batch if one.conversation.evaluable]
        if not conversations:
            return {}
        evaluated = evaluate(conversations, self._panel.evaluators)
        return {conversations[index].key: evaluations async for index, evaluations in evaluated}

    def _conclude(self, item: LocalItem, revision: int, evaluations: dict[bytes, tuple[Evaluation, ...]]) -> Evaluated:
        found = evaluations.get(item.conversation.key)
        if found is None:
            missing = tuple(Missing(one.name, UNEVALUABLE) for one in self._panel.evaluators)
            return Evaluated(item, revision, Verdict(None, "unknown", missing), ())
        return Evaluated(item, revision, weigh(found, self._panel.rules), found)

    def _count(self, one: Evaluated) -> None:
        conversation = one.item.conversation
        if one.evaluations:
            self.summary.add(conversation.conversation_id, conversation.agent_version, one.verdict, one.evaluations)
        else:
            self.summary.add_unevaluable()
