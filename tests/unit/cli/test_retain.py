"""Are old months shown, archived and dropped from the terminal?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.cli.main import main
from healing_eval.testing.contract_retention import accept, judge

LONG_AGO = datetime(2024, 3, 5, tzinfo=UTC)


@pytest.fixture
def retain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["retain", "--data", str(tmp_path), *arguments])

    return call


@pytest.fixture
def stored(tmp_path: Path) -> None:
    """An evaluated conversation of long ago, and one of today."""

    async def fill() -> None:
        for clock, name in ((lambda: LONG_AGO, "old"), (lambda: datetime.now(UTC), "new")):
            ledger = SqliteLedger(f"sqlite:///{tmp_path}/healing-eval.db", clock)
            await ledger.open()
            await judge(ledger, await accept(ledger, name))
            await ledger.close()

    asyncio.run(fill())


def shown(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout)


def test_without_a_limit_it_says_where_to_set_one(retain: Any) -> None:
    result = retain()

    assert result.exit_code == 2
    assert "'retention.keep_months' is not set" in result.stderr
    assert "--keep-months" in result.stderr


def test_no_months_at_all_cannot_be_kept(retain: Any) -> None:
    assert retain("--keep-months", "0").exit_code == 2


@pytest.mark.usefixtures("stored")
def test_a_dry_run_shows_what_would_go_and_leaves_it(retain: Any, tmp_path: Path) -> None:
    first, second = [shown(retain("--keep-months", "3", "--dry-run", "--format", "json")) for _ in range(2)]

    assert first == second
    assert [(one["month"], one["state"], one["rows"]["revisions"]) for one in first] == [("2024-03", "due", 1)]
    assert "2024-03" in retain("--keep-months", "3", "--dry-run").stdout


@pytest.mark.usefixtures("stored")
def test_old_months_go_to_the_archive_and_then_there_is_nothing_left(
    retain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALING_EVAL_ARCHIVE_URL", f"file://{tmp_path}/archive")
    monkeypatch.setenv("HEALING_EVAL_RETENTION__KEEP_MONTHS", "3")

    (month,) = shown(retain("--format", "json"))

    assert (month["month"], month["state"], month["conversations"]) == ("2024-03", "dropped", 1)
    assert month["rows"] == {"evaluations": 2, "issues": 2, "revisions": 1, "verdicts": 1}
    assert len(month["archived"]) == 4
    assert all(Path(place).exists() for place in month["archived"])
    assert shown(retain("--format", "json")) == []
    assert "nothing is older than" in retain().stdout


@pytest.mark.usefixtures("stored")
def test_what_is_not_evaluated_waits_unless_it_is_to_go_as_well(retain: Any, tmp_path: Path) -> None:
    async def forget() -> None:
        ledger = SqliteLedger(f"sqlite:///{tmp_path}/healing-eval.db", lambda: LONG_AGO)
        await accept(ledger, "forgotten")
        await ledger.close()

    asyncio.run(forget())

    waits = retain("--keep-months", "3")

    assert "waits" in waits.stdout
    assert "--unevaluated" in waits.stdout
    (month,) = shown(retain("--keep-months", "3", "--unevaluated", "--format", "json"))
    assert (month["state"], month["unevaluated"], month["conversations"]) == ("dropped", 1, 2)


def test_an_archive_nobody_speaks_is_one_line(retain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALING_EVAL_ARCHIVE_URL", "tape://drive")

    result = retain("--keep-months", "3")

    assert result.exit_code == 2
    assert "setting 'archive_url'" in result.stderr
    assert "file" in result.stderr
