"""Is what was not measured found and opened again from the terminal?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.stream.redis import RedisStream
from healing_eval.cli.main import main
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, ModelUse
from healing_eval.domain.revision import RevisionKey
from healing_eval.domain.unmeasured import OF_BUDGET, OF_NO_MODEL
from healing_eval.evaluators.judge.evaluator import NO_MODEL
from healing_eval.testing.builders import an_evaluation
from healing_eval.testing.contract_ledger import close
from healing_eval.testing.contract_retention import accept

RESULTS = {
    "a": Abstention(f"{OF_BUDGET}daily is spent"),
    "b": Abstention(f"{OF_BUDGET}daily is spent"),
    "c": Failure("no answer", "ModelUnavailable"),
    "d": Abstention(NO_MODEL),
}
LONG_AGO = datetime(2024, 3, 5, tzinfo=UTC)


@pytest.fixture
def backfill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("HEALING_EVAL_JUDGE__MODEL", "openai:fake")

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["backfill", "--data", str(tmp_path), *arguments])

    return call


def a_ledger(folder: Path, clock: Any = None) -> SqliteLedger:
    return SqliteLedger(f"sqlite:///{folder}/healing-eval.db", *([clock] if clock else []))


@pytest.fixture
def stored(tmp_path: Path) -> None:
    """One of each kind, one that was measured, and one of long ago."""

    async def fill() -> None:
        ledger = a_ledger(tmp_path)
        await ledger.open()
        for name, result in RESULTS.items():
            await settle(ledger, name, an_evaluation(b"", "judge", result=result))
        use = ModelUse("m", cost_dollars=0.25)
        await settle(ledger, "measured", msgspec.structs.replace(an_evaluation(b"", "judge"), model_use=use))
        await ledger.close()
        old = a_ledger(tmp_path, lambda: LONG_AGO)
        await old.open()
        await settle(old, "old", an_evaluation(b"", "judge", result=RESULTS["a"]))
        await old.close()

    asyncio.run(fill())


async def settle(ledger: SqliteLedger, name: str, evaluation: Evaluation) -> None:
    key = await accept(ledger, name)
    await close(ledger, "checks", key, an_evaluation(key.conversation_key))
    await close(ledger, "judges", key, msgspec.structs.replace(evaluation, conversation_key=key.conversation_key))


def pending(folder: Path) -> list[RevisionKey]:
    """What waits for the lane of judges."""

    async def look() -> list[RevisionKey]:
        ledger = a_ledger(folder)
        await ledger.open()
        try:
            return await ledger.pending("judges", accepted_before=datetime.now(UTC), limit=100)
        finally:
            await ledger.close()

    return asyncio.run(look())


def shown(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout)


def test_the_reason_that_the_judge_gives_is_the_one_that_is_looked_for() -> None:
    assert NO_MODEL.startswith(OF_NO_MODEL)


@pytest.mark.usefixtures("stored")
def test_a_dry_run_counts_and_tells_what_it_may_cost(backfill: Any, tmp_path: Path) -> None:
    found = shown(backfill("--dry-run", "--format", "json"))
    table = backfill("--dry-run")

    assert found == {
        "opened": False,
        "kept_since": None,
        "evaluators": [
            {
                "evaluator": "judge",
                "lane": "judges",
                "conversations": {"budget": 3, "failed": 1, "no-model": 1},
                "costs_known": 1,
                "estimated_dollars": 1.25,
            }
        ],
    }
    assert "$1.25, by the mean of 1 evaluation" in table.stdout
    assert "5 conversations would be opened again" in table.stdout
    assert pending(tmp_path) == []


@pytest.mark.usefixtures("stored")
def test_what_is_opened_is_outstanding_and_is_opened_once(backfill: Any, tmp_path: Path) -> None:
    first, second = backfill(), backfill()

    assert "5 conversations opened again; running workers begin within 30 s" in first.stdout
    assert second.stdout == "nothing was left out that could be measured now\n"
    assert len(pending(tmp_path)) == 5


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--reason", "budget"), 3),
        (("--reason", "failed", "--reason", "no-model"), 2),
        (("--since", "2024-03-06"), 4),
        (("--until", "2024-03-06"), 1),
        (("--limit", "2"), 2),
        (("--evaluator", "judge", "--project", "default"), 5),
        (("--project", "other"), 0),
    ],
)
def test_it_can_be_said_which(backfill: Any, tmp_path: Path, arguments: tuple[str, ...], count: int) -> None:
    shown(backfill(*arguments, "--format", "json"))

    assert len(pending(tmp_path)) == count


@pytest.mark.usefixtures("stored")
def test_what_is_archived_is_said_not_to_be_looked_at(backfill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_RETENTION__KEEP_MONTHS", "1")

    assert "is archived or dropped, and not looked at" in backfill("--dry-run").stdout
    tomorrow = f"{datetime.now(UTC):%Y-%m-%d}"
    assert "is archived" not in backfill("--dry-run", "--since", tomorrow).stdout


def test_without_a_cost_it_is_not_known(backfill: Any, tmp_path: Path) -> None:
    async def fill() -> None:
        ledger = a_ledger(tmp_path)
        await ledger.open()
        await settle(ledger, "a", an_evaluation(b"", "judge", result=RESULTS["a"]))
        await ledger.close()

    asyncio.run(fill())

    assert "not known: no evaluation has a known cost" in " ".join(backfill("--dry-run").stdout.split())
    assert shown(backfill("--dry-run", "--format", "json"))["evaluators"][0]["estimated_dollars"] is None


def test_without_a_model_it_says_where_to_set_one(backfill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEALING_EVAL_JUDGE__MODEL")

    nobody, named = backfill(), backfill("--evaluator", "judge")

    assert (nobody.exit_code, named.exit_code) == (2, 2)
    assert "no evaluator asks a model, so nothing that is missing can be measured; set judge.model" in nobody.stderr
    assert "--evaluator 'judge' asks no model, so nothing can be measured by it; no evaluator does" in named.stderr


@pytest.mark.services
@pytest.mark.usefixtures("stored")
def test_workers_elsewhere_are_rung(backfill: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_STREAM_URL", redis_url)

    async def depth() -> int:
        stream = RedisStream.from_url(redis_url)
        await stream.open(["judges"])
        try:
            return await stream.depth("judges")
        finally:
            await stream.close()

    asyncio.run(depth())
    said = backfill().stdout

    assert said.endswith("5 conversations opened again\n")
    assert asyncio.run(depth()) == 5
