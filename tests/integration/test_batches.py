"""Conversations whose questions may wait: judged by what a provider's batches say, across processes and restarts."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from healing_eval.config import Settings, read_settings
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation, Failure, Findings, Result
from healing_eval.domain.verdict import VerdictRules
from healing_eval.errors import ModelBusy, ModelError
from healing_eval.panel import Panel
from healing_eval.ports.chat_model import ChatMessage, ChatModel, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_submission
from healing_eval.testing.fake_model import FakeModel
from healing_eval.testing.waiting import wait_until
from healing_eval.wiring import Services, build_services
from healing_eval.worker.crew import run_crew

MANY = 60


class Asker:
    """Asks a model about each conversation, and has time."""

    name = "asker"
    version = "1"
    weight = 1.0
    lane = "judges"
    needs: frozenset[str] = frozenset({"model"})

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.marks: list[tuple[str, str | None]] = []
        """The mark each question had that was answered, and the one that came with the answer."""

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        assert setup.model is not None
        return cls(setup.model)

    def inapplicable(self, conversation: Conversation) -> str | None:
        return None

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        asking = [asyncio.create_task(self._ask(one)) for one in conversations]
        for conversation, task in zip(conversations, asking, strict=True):
            yield Evaluation(conversation.key, self.name, self.version, await task)

    async def _ask(self, conversation: Conversation) -> Result:
        request = ChatRequest(
            messages=[ChatMessage("user", f"What about {conversation.conversation_id}?")],
            lane="batch",
            key=blake2b(conversation.key, digest_size=16).digest(),
            mark=secrets.token_hex(8),
            about=conversation.key,
        )
        try:
            answer = await self._model.ask(request)
        except ModelError as error:
            wanted = error.retry_after_seconds if isinstance(error, ModelBusy) else None
            return Failure(str(error), type(error).__name__, error.retryable, retry_after_seconds=wanted)
        self.marks.append((request.mark, answer.mark))
        return Findings(1.0)


@pytest.fixture(params=["alone", pytest.param("servers", marks=pytest.mark.services)])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Where everything is kept."""
    if request.param == "alone":
        return {"data_dir": tmp_path}
    return request.getfixturevalue("servers")


@pytest.fixture
def servers(postgresql_url: str, redis_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"data_dir": tmp_path, "store_url": postgresql_url, "stream_url": redis_url}


def settings_for(fake: FakeModel, provider: str, places: dict[str, Any]) -> Settings:
    address = fake.base_url if provider == "openai" else fake.address
    deployment = {"model": f"{provider}:m", "url": address, "key_variable": "MY_KEY", "batches": True}
    return read_settings(
        **places,
        judge={"model": f"{provider}:m"},
        deployments={"mine": deployment},
        batches={"not_urgent": ["judge"], "gather_seconds": 0.2, "poll_seconds": 0.1},
        worker={"sweep_every_seconds": 0.5},
    )


class Process:
    """A process that works, as far as it shares nothing with others but servers."""

    def __init__(self, settings: Settings) -> None:
        services = build_services(settings)
        self.asker = Asker(services.panel.models["judge"][0])
        models = {"asker": (services.panel.models["judge"][0],)}
        panel = Panel((self.asker,), VerdictRules({"asker": 1.0}), models)
        self.services: Services = msgspec.structs.replace(services, panel=panel)
        self._stop = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.services.open()
        self._working = asyncio.create_task(run_crew(self.services, self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        assert self._working is not None
        await self._working
        await self.services.close()

    async def accept(self, count: int) -> None:
        submissions = [a_submission(a_conversation(f"c{number}")) for number in range(count)]
        receipts = await self.services.ledger.add(submissions, ["judges"])
        await self.services.stream.append("judges", [receipt.revision_key for receipt in receipts])

    async def until_done(self, count: int) -> None:
        async def holds() -> bool:
            return (await self.services.ledger.count_by_status()).get("done", 0) == count

        await wait_until(holds, seconds=40)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-geheim")


async def until_handed_in(fake: FakeModel, count: int) -> None:
    async def holds() -> bool:
        return sum(len(job.questions) for job in fake.batches.seen) == count

    await wait_until(holds, seconds=40)


def times_asked(fake: FakeModel) -> set[int]:
    return set(Counter(name for job in fake.batches.seen for name in job.questions).values())


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_what_may_wait_is_judged_in_batches_and_a_restart_costs_nothing(
    places: dict[str, Any], provider: str
) -> None:
    async with FakeModel() as fake:
        fake.batches.held = True
        settings = settings_for(fake, provider, places)
        async with Process(settings) as first:
            await first.accept(MANY)
            await until_handed_in(fake, MANY)
        fake.batches.held = False
        async with Process(settings) as second:
            await second.until_done(MANY)

    assert first.asker.marks == []
    assert len(second.asker.marks) == MANY
    assert all(was and was != asked for asked, was in second.asker.marks)  # of the questions the first one asked
    assert (times_asked(fake), fake.requests) == ({1}, 0)


@pytest.mark.services
async def test_of_two_processes_each_finds_the_answers_and_nothing_is_asked_twice(servers: dict[str, Any]) -> None:
    async with FakeModel() as fake:
        settings = settings_for(fake, "anthropic", servers)
        async with Process(settings) as one, Process(settings) as other:
            await one.accept(MANY)
            await one.until_done(MANY)

    assert len(one.asker.marks) + len(other.asker.marks) >= MANY  # the sweeper may have rung for one in hand
    assert (times_asked(fake), fake.requests) == ({1}, 0)


async def test_what_batches_cannot_answer_is_asked_in_the_ordinary_way(places: dict[str, Any]) -> None:
    async with FakeModel() as fake:
        fake.batches.fate = "expired"
        async with Process(settings_for(fake, "openai", places)) as process:
            await process.accept(3)
            await process.until_done(3)

    assert [was for _, was in process.asker.marks] == [None] * 3
    assert (times_asked(fake), fake.requests) == ({2}, 3)
