"""What do the evaluators think of these conversations?

Every conversation gets exactly one evaluation from every evaluator: findings, an abstention, or the failure. A broken
evaluator costs its own evaluation and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Result
from healing_eval.errors import HealingEvalError, ModelBusy, UnreadableVerdict
from healing_eval.pipeline.counted import count
from healing_eval.pipeline.soundness import flaw_of
from healing_eval.ports.evaluator import Evaluator

PAUSE_EVERY_SECONDS = 0.005
"""How long evaluators that wait for nothing may keep the event loop from everybody else, requests above all."""

Evaluated = tuple[int, tuple[Evaluation, ...]]
"""A conversation's index in its batch, and all its evaluations."""


class Mailbox:
    """Evaluations as they come in, each with the name of the evaluator that was asked."""

    def __init__(self) -> None:
        self._items: list[tuple[str, Evaluation]] = []
        self._crash: BaseException | None = None
        self._arrived = asyncio.Event()

    def put(self, name: str, evaluation: Evaluation) -> None:
        """Add an evaluation."""
        self._items.append((name, evaluation))
        self._arrived.set()

    def crash(self, error: BaseException) -> None:
        """Let the reader fail with an error."""
        self._crash = error
        self._arrived.set()

    async def take(self) -> list[tuple[str, Evaluation]]:
        """Wait for one evaluation, and take all others that are there as well."""
        await self._arrived.wait()
        self._arrived.clear()
        if self._crash is not None:
            raise self._crash
        items, self._items = self._items, []
        return items


async def evaluate(
    conversations: Sequence[Conversation], evaluators: Sequence[Evaluator]
) -> AsyncGenerator[Evaluated, None]:
    """Run all evaluators side by side and yield each conversation as soon as its last evaluation is there.

    Args:
        conversations: the batch; no two may share a key.
        evaluators: all of them see every conversation they apply to.

    Yields:
        The conversation's index in the batch and its evaluations, one per evaluator, in the evaluators' order.
    """
    async with aclosing(evaluate_in_groups(conversations, evaluators)) as groups:
        async for group in groups:
            for one in group:
                yield one


async def evaluate_in_groups(
    conversations: Sequence[Conversation],
    evaluators: Sequence[Evaluator],
    slice_seconds: float = PAUSE_EVERY_SECONDS,
) -> AsyncGenerator[list[Evaluated], None]:
    """Do what `evaluate` does, and yield together what became ready while the reader was busy.

    Evaluators that wait for nothing keep the event loop for `slice_seconds` at a time: with longer slices more is ready
    at once, and everybody else waits longer.
    """
    places = {conversation.key: index for index, conversation in enumerate(conversations)}
    done: list[dict[str, Evaluation]] = [{} for _ in conversations]
    mailbox = Mailbox()
    tasks = [_start(one, conversations, mailbox, slice_seconds) for one in evaluators]
    try:
        left = len(conversations) if evaluators else 0
        while left:
            group: list[Evaluated] = []
            while not group:
                arrived = await mailbox.take()
                count([evaluation for _, evaluation in arrived])
                for name, evaluation in arrived:
                    index = places[evaluation.conversation_key]
                    done[index][name] = evaluation
                    if len(done[index]) == len(evaluators):
                        group.append((index, tuple(done[index][one.name] for one in evaluators)))
            left -= len(group)
            yield group
    finally:  # the reader may have stopped early
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _start(
    evaluator: Evaluator, conversations: Sequence[Conversation], mailbox: Mailbox, slice_seconds: float
) -> asyncio.Task[None]:
    """Run an evaluator in a task whose crash, which would be a fault of ours, reaches the reader of the mailbox."""

    def report(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            mailbox.crash(error)

    task = asyncio.create_task(_run(evaluator, conversations, mailbox, slice_seconds))
    task.add_done_callback(report)
    return task


async def _run(
    evaluator: Evaluator, conversations: Sequence[Conversation], mailbox: Mailbox, slice_seconds: float
) -> None:
    """Put one evaluation per conversation into the mailbox."""
    applicable: list[Conversation] = []
    for conversation in conversations:
        instead = _instead_of_asking(evaluator, conversation)
        if instead is None:
            applicable.append(conversation)
        else:
            _deliver(evaluator, conversation, _evaluation(evaluator, conversation, instead), mailbox)
    for conversation in await _attempt(evaluator, applicable, mailbox, slice_seconds):
        # One conversation broke the batch: alone, each of the others still gets its evaluation.
        await _attempt(evaluator, [conversation], mailbox, slice_seconds)


async def _attempt(
    evaluator: Evaluator, conversations: Sequence[Conversation], mailbox: Mailbox, slice_seconds: float
) -> list[Conversation]:
    """Evaluate a batch; return what got no evaluation. A batch of one always gets one, if only a failure."""
    waiting = {conversation.key: conversation for conversation in conversations}
    broken: Result = Failure(reason="the evaluator gave no evaluation", kind="NoEvaluation")
    try:
        paused_at = time.monotonic()
        async for given in evaluator.evaluate(conversations):
            conversation = waiting.pop(_key_of(given), None)
            if conversation is not None:
                _deliver(evaluator, conversation, given, mailbox)
            if time.monotonic() - paused_at > slice_seconds:
                await asyncio.sleep(0)
                paused_at = time.monotonic()
    except Exception as error:  # noqa: BLE001 - a broken evaluator is a result, not a crash
        broken = _failure(error)
    if len(conversations) != 1:
        return list(waiting.values())
    for conversation in waiting.values():
        _deliver(evaluator, conversation, _evaluation(evaluator, conversation, broken), mailbox)
    return []


def _key_of(given: object) -> bytes:
    """The key of the conversation that this is about; b"" when it is no evaluation at all."""
    key = given.conversation_key if isinstance(given, Evaluation) else None
    return key if isinstance(key, bytes) else b""


def _checked(evaluator: Evaluator, conversation: Conversation, given: Evaluation) -> Evaluation:
    """Turn what cannot be kept, such as a score that is NaN, into the failure it is."""
    flaw = flaw_of(given, evaluator.name)
    if flaw is None:
        return given
    return _evaluation(evaluator, conversation, Failure(reason=flaw, kind="UnsoundResult"))


def _instead_of_asking(evaluator: Evaluator, conversation: Conversation) -> Result | None:
    try:
        reason = evaluator.inapplicable(conversation)
    except Exception as error:  # noqa: BLE001 - a broken evaluator is a result, not a crash
        return _failure(error)
    return None if reason is None else Abstention(reason)


def _evaluation(evaluator: Evaluator, conversation: Conversation, result: Result) -> Evaluation:
    return Evaluation(conversation.key, evaluator.name, evaluator.version, result)


def _failure(error: Exception) -> Failure:
    """Describe an error; the text of an unexpected one may quote the conversation and stays in the store."""
    return Failure(
        reason=str(error)[:500] or type(error).__name__,
        kind=type(error).__name__,
        retryable=isinstance(error, HealingEvalError) and error.retryable,
        raw_answer=error.raw_answer if isinstance(error, UnreadableVerdict) else None,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, ModelBusy) else None,
    )


def _deliver(evaluator: Evaluator, conversation: Conversation, given: Evaluation, mailbox: Mailbox) -> None:
    mailbox.put(evaluator.name, _checked(evaluator, conversation, given))
