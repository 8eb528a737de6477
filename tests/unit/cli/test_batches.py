"""Can people see what is in batches, and stop it?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from healing_eval.backends.batch_work.sqlite import SqliteBatchWork
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.cli.main import main
from healing_eval.ports.batch_work import Asked


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/healing-eval.db"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["batches", *arguments, "--data", str(tmp_path)])

    return call


@pytest.fixture
def three_batches(url: str) -> None:
    """`made`, `open` and `over`, and a question that waits."""

    async def fill() -> None:
        ledger = SqliteLedger(url)
        await ledger.open()
        await ledger.close()
        work = SqliteBatchWork(url)
        for number, batch_id in enumerate(("over", "open", "made")):
            await work.ask([Asked(b"%16d" % number, "openai:m", b"{}")])
            await work.bundle("openai:m", "mine", batch_id, most_questions=9, most_bytes=99)
        await work.handed_in("open", "batch_theirs")
        await work.end("over", "failed", "no\x1b[2J luck", most_failures=1)
        await work.ask([Asked(b"w" * 16, "openai:m", b"{}")])
        await work.close()

    asyncio.run(fill())


def test_where_nothing_is_that_is_said(run: Any) -> None:
    assert run("list").stdout == "no batches that have not ended\n"
    assert run("list", "--all").stdout == "no batches\n"
    assert msgspec.json.decode(run("list", "--format", "json").stdout) == {"waiting": [], "batches": []}


@pytest.mark.usefixtures("three_batches")
def test_what_has_not_ended_is_listed_and_what_waits_counted(run: Any) -> None:
    shown = run("list").stdout
    listed = msgspec.json.decode(run("list", "--format", "json").stdout)

    assert shown.startswith("1 question to openai:m in no batch yet\n")
    assert "batch_theirs" in shown
    assert "over" not in shown
    assert [(one["id"], one["state"], one["provider_id"]) for one in listed["batches"]] == [
        ("open", "handed in", "batch_theirs"),
        ("made", "made", None),
    ]
    assert [(one["pool"], one["questions"]) for one in listed["waiting"]] == [("openai:m", 1)]


@pytest.mark.usefixtures("three_batches")
def test_what_has_ended_is_shown_with_the_reason_and_without_what_a_terminal_obeys(run: Any) -> None:
    shown = run("list", "--all").stdout
    (newest,) = msgspec.json.decode(run("list", "--all", "--limit", "1", "--format", "json").stdout)["batches"]

    assert "luck" in shown
    assert "\x1b[2J" not in shown
    assert newest["id"] == "made"


@pytest.mark.usefixtures("three_batches")
def test_a_batch_is_stopped_and_one_that_is_none_is_named(run: Any) -> None:
    good = run("cancel", "open", "open")
    bad = run("cancel", "made", "over", "x\x1b[2J", "--format", "json")

    assert (good.exit_code, good.stdout.split(";")[0]) == (0, "1 batch to be stopped")
    assert (bad.exit_code, msgspec.json.decode(bad.stdout)) == (2, {"count": 1})
    assert "no batch 'over', 'x\ufffd[2J' that has not ended" in bad.stderr
    listed = msgspec.json.decode(run("list", "--format", "json").stdout)["batches"]
    assert [one["state"] for one in listed] == ["stopping", "stopping"]
