"""How does a batch of work become verdicts in the ledger?"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec
import structlog

from healing_eval import telemetry
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Verdict
from healing_eval.domain.revision import RevisionKey, StoredRevision
from healing_eval.domain.verdict import VerdictRules, weigh
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_item
from healing_eval.formats.limits import UNLIMITED
from healing_eval.pipeline.evaluate import evaluate_in_groups
from healing_eval.ports.evaluator import Evaluator
from healing_eval.ports.ledger import LaneResult, Ledger

log = structlog.get_logger()


class Lane(msgspec.Struct, frozen=True):
    """A lane's name, its evaluators, and the rules by which all evaluators are weighed."""

    name: str
    evaluators: tuple[Evaluator, ...]
    rules: VerdictRules


async def close(lane: Lane, ledger: Ledger, keys: Sequence[RevisionKey]) -> AsyncGenerator[list[RevisionKey], None]:
    """Evaluate revisions on one lane and store what is ready while the rest is still running.

    Yields:
        Groups of revisions that need no further work on this lane: stored now, stored before, or out of date.

    Raises:
        BackendError: the ledger failed; whatever was not yielded has to be tried again.
    """
    outstanding = await ledger.outstanding_lanes(keys)
    wanted = [key for key in dict.fromkeys(keys) if lane.name in outstanding.get(key, ())]
    settled = [key for key in keys if lane.name not in outstanding.get(key, ())]
    if settled:
        yield settled
    read: list[tuple[RevisionKey, Conversation]] = []
    for stored in await ledger.load(wanted):
        conversation = _read(stored)
        if conversation is None:
            await ledger.fail([stored.revision_key], lane.name, "the stored body cannot be read")
            yield [stored.revision_key]
        else:
            read.append((stored.revision_key, conversation))
    conversations = [conversation for _, conversation in read]
    async with aclosing(evaluate_in_groups(conversations, lane.evaluators)) as groups:
        async for group in groups:
            results = [LaneResult(read[index][0], evaluations) for index, evaluations in group]
            await _store(lane, ledger, results)
            yield [result.revision_key for result in results]


async def _store(lane: Lane, ledger: Ledger, group: Sequence[LaneResult]) -> None:
    outcomes: list[str] = []

    def decide(evaluations: Sequence[Evaluation], final: bool) -> Verdict:
        verdict = weigh(evaluations, lane.rules, final=final)
        if final:
            outcomes.append(verdict.outcome)
        return verdict

    stored = await ledger.close_lane(lane.name, group, decide)
    for outcome in outcomes:
        telemetry.VERDICTS.labels(outcome).inc()
    log.info("lane.closed", lane=lane.name, stored=len(stored), skipped=len(group) - len(stored))


def _read(stored: StoredRevision) -> Conversation | None:
    """Read a stored body again. Limits are a matter of the door: what was accepted is read."""
    try:
        return read_item(stored.body, project=stored.project, limits=UNLIMITED).conversation
    except InvalidInput as error:
        log.error("revision.unreadable", pointer=error.pointer)
        return None
