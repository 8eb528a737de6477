from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from healing_eval.backends.archive.file import FileArchive
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.month import Month
from healing_eval.errors import BackendError
from healing_eval.pipeline.retain import OldMonth, first_kept, list_due, retain
from healing_eval.ports.archive import Archive, Part, Row
from healing_eval.testing.builders import PROJECT
from healing_eval.testing.contract_retention import FEBRUARY, MARCH, MonthClock, accept, judge, rows_of


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncGenerator[SqliteLedger]:
    """Three months with a conversation each, of which one was revised in the next month."""
    clock = MonthClock()
    ledger = SqliteLedger(f"sqlite:///{tmp_path}/store.db", clock)
    await ledger.open()
    await judge(ledger, await accept(ledger, "january", 2, Annotation("tone", 1, "ann")))
    await judge(ledger, await accept(ledger, "grows", 2))
    clock.a_month_later()
    await judge(ledger, await accept(ledger, "february"))
    await judge(ledger, await accept(ledger, "grows", 4))
    clock.a_month_later()
    await judge(ledger, await accept(ledger, "march"))
    yield ledger
    await ledger.close()


@pytest.fixture
def archive(tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path / "archive")


async def run(ledger: SqliteLedger, archive: Archive | None, before: Month = MARCH, **how: Any) -> list[OldMonth]:
    return [one async for one in retain(ledger, archive, before, **how)]


async def names(ledger: SqliteLedger) -> list[str]:
    return [name for name in ("january", "grows", "february", "march") if await ledger.find(PROJECT, name)]


@pytest.mark.parametrize(
    ("keep", "oldest"), [(1, "2031-02"), (2, "2031-01"), (3, "2030-12"), (15, "2029-12"), (99_999, "0001-01")]
)
def test_the_current_month_and_so_many_whole_ones_are_kept(keep: int, oldest: str) -> None:
    assert str(first_kept(datetime(2031, 3, 1, tzinfo=UTC), keep)) == oldest


async def test_old_months_are_archived_and_dropped_oldest_first(ledger: SqliteLedger, archive: FileArchive) -> None:
    before = await rows_of(ledger, Month(2031, 1))

    months = await run(ledger, archive)

    assert [(one.month, one.state, one.conversations) for one in months] == [
        ("2031-01", "dropped", 1),
        ("2031-02", "dropped", 2),
    ]
    assert months[0].rows == {"evaluations": 4, "issues": 4, "revisions": 2, "verdicts": 2, "annotations": 1}
    assert await names(ledger) == ["march"]
    kept = [part for part in await archive.parts() if part.month == Month(2031, 1)]
    assert {part.table: part.rows for part in kept} == months[0].rows
    assert sorted(months[0].archived) == sorted([await archive.keep(part, nothing()) for part in kept])
    (revisions,) = [part for part in kept if part.table == "revisions"]
    bodies = {row["body"] async for row in archive.rows(revisions)}
    assert bodies == {row["body"] for row in before["revisions"]}


async def nothing() -> AsyncIterator[Row]:
    raise AssertionError("it was not kept")
    yield {}


async def test_without_an_archive_they_are_only_dropped(ledger: SqliteLedger) -> None:
    months = await run(ledger, None, FEBRUARY)

    assert [(one.month, one.state, one.archived) for one in months] == [("2031-01", "dropped", ())]
    assert await names(ledger) == ["grows", "february", "march"]


async def test_asking_what_is_due_changes_nothing(ledger: SqliteLedger) -> None:
    due = [(one.month, one.state, one.rows["revisions"]) async for one in list_due(ledger, MARCH)]

    assert due == [("2031-01", "due", 2), ("2031-02", "due", 2)]
    assert await names(ledger) == ["january", "grows", "february", "march"]


async def test_a_month_waits_for_what_is_not_evaluated_and_so_do_those_after_it(ledger: SqliteLedger) -> None:
    in_january = SqliteLedger(ledger._url, MonthClock())
    await accept(in_january, "forgotten")
    await in_january.close()

    due = [(one.month, one.state, one.unevaluated) async for one in list_due(ledger, MARCH)]
    months = await run(ledger, None)

    assert due == [("2031-01", "waits", 1), ("2031-02", "waits", 0)]
    assert [(one.month, one.state, one.unevaluated) for one in months] == [("2031-01", "waits", 1)]
    assert await names(ledger) == ["january", "grows", "february", "march"]

    months = await run(ledger, None, unevaluated_too=True)

    assert [(one.month, one.state, one.unevaluated) for one in months] == [
        ("2031-01", "dropped", 1),
        ("2031-02", "dropped", 0),
    ]
    assert await ledger.find(PROJECT, "forgotten") is None


class FullAfter(FileArchive):
    """Takes some parts and then no more."""

    def __init__(self, folder: Path, parts: int) -> None:
        super().__init__(folder)
        self._left = parts

    async def keep(self, part: Part, rows: AsyncIterator[Row]) -> str:
        self._left -= 1
        if self._left < 0:
            raise BackendError("the archive is full")
        return await super().keep(part, rows)


@pytest.mark.parametrize("parts", range(5))
async def test_nothing_is_dropped_before_all_of_it_is_kept(
    ledger: SqliteLedger, archive: FileArchive, tmp_path: Path, parts: int
) -> None:
    with pytest.raises(BackendError, match="full"):
        await run(ledger, FullAfter(tmp_path / "archive", parts), FEBRUARY)
    between = await names(ledger)

    (month,) = await run(ledger, archive, FEBRUARY)

    assert between == ["january", "grows", "february", "march"]
    assert {part.table: part.rows for part in await archive.parts()} == month.rows
    assert len(list(await archive.parts())) == 5
