"""Who sees to it that a question that may wait is asked in a batch? Stands in front of the model.

Nobody waits here: who asks is told to come again, and the question is kept under its key until then. Who comes again,
in whatever process, finds the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any, cast

import msgspec

from healing_eval import telemetry
from healing_eval.errors import AnswerPending, BackendError, ModelBusy
from healing_eval.ports.batch_work import Asked, BatchWork, Standing
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest

LONGEST_PAUSE_SECONDS = 300.0
"""When who asks is to come again at the latest; the longer a batch takes, the later."""
LONGEST_SECONDS = 30 * 3600.0
"""After this long a question is asked in the ordinary way, whatever became of its batch."""
AT_ONCE = 500
"""Most questions in one look."""

_answer = msgspec.json.Decoder(ChatAnswer)


def batched_model(model: ChatModel, work: BatchWork, *, poll_seconds: float) -> ChatModel:
    """Have questions that may wait put into batches; all others, and those without a key, are asked as ever.

    Args:
        model: who is asked. Whoever hands in the batches knows it by its name.
        work: where questions wait; somebody else closes it.
        poll_seconds: when who asks is to come again at the earliest.
    """
    return cast("ChatModel", _BatchedModel(model, work, poll_seconds))


def written(request: ChatRequest) -> bytes:
    """Write a request to be kept, without what holds for this asking alone."""
    kept = msgspec.structs.replace(request, key=None, mark="", lane="now", longest_wait_seconds=0.0)
    return msgspec.json.encode(kept)


class _BatchedModel:
    def __init__(self, model: ChatModel, work: BatchWork, poll_seconds: float) -> None:
        self._real: Any = model
        self._poll_seconds = poll_seconds
        self._desk = _Desk(work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        if request.lane != "batch" or request.key is None:
            return await self._real.ask(request)
        name: str = self._real.name
        key = blake2b(request.key, key=blake2b(name.encode()).digest(), digest_size=16).digest()
        try:
            standing = await self._desk.look_up(Asked(key, name, written(request), request.mark, request.about))
        except BackendError as error:
            telemetry.MODEL_BATCH_LOOKS.labels(name, "error").inc()
            said = f"it cannot be found out how it stands with a batch: {error}"
            raise ModelBusy(said, retry_after_seconds=self._poll_seconds) from error
        answer = _answer_in(standing)
        if answer is not None:
            telemetry.MODEL_BATCH_LOOKS.labels(name, "answered").inc()
            return answer
        if standing.state in ("answered", "direct") or standing.age_seconds >= LONGEST_SECONDS:
            telemetry.MODEL_BATCH_LOOKS.labels(name, "direct").inc()
            return await self._real.ask(request)
        telemetry.MODEL_BATCH_LOOKS.labels(name, "pending").inc()
        pause = max(self._poll_seconds, min(LONGEST_PAUSE_SECONDS, standing.age_seconds / 8))
        raise AnswerPending(f"{name} is asked in a batch", retry_after_seconds=pause)

    async def close(self) -> None:
        await self._desk.close()
        await self._real.close()


def _answer_in(standing: Standing) -> ChatAnswer | None:
    """Give the answer that is kept, if there is one that can be read."""
    if standing.answer is None:
        return None
    with suppress(msgspec.DecodeError):  # else another version wrote it: it is asked once more
        return msgspec.structs.replace(_answer.decode(standing.answer), mark=standing.mark)
    return None


class _Desk:
    """Looks up together what is asked at the same time: a lane asks about a hundred conversations at once."""

    def __init__(self, work: BatchWork) -> None:
        self._work = work
        self._queue: list[tuple[Asked, asyncio.Future[Standing]]] = []
        self._looking: asyncio.Task[None] | None = None

    async def look_up(self, question: Asked) -> Standing:
        found: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._queue.append((question, found))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await found

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        await asyncio.sleep(0)  # those who ask at the same time come before this goes on
        while self._queue:
            some, self._queue = self._queue[:AT_ONCE], self._queue[AT_ONCE:]
            waiting = [found for _, found in some]
            try:
                _tell(waiting, await self._work.ask([question for question, _ in some]))
            except asyncio.CancelledError:
                for found in waiting:
                    found.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and each has to hear of it
                for found in waiting:
                    if not found.done():
                        found.set_exception(error)


def _tell(waiting: Sequence[asyncio.Future[Standing]], standings: Sequence[Standing]) -> None:
    for found, standing in zip(waiting, standings, strict=True):
        if not found.done():
            found.set_result(standing)
