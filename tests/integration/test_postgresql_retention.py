"""Old months go from a PostgreSQL that is at work, and nothing is lost whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.archive.file import FileArchive
from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.month_tables import MonthTables
from healing_eval.backends.sql.partitions import PARTITIONED, list_partitions
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.domain.annotation import Annotation
from healing_eval.domain.month import Month
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError
from healing_eval.pipeline.retain import OldMonth, retain
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission
from healing_eval.testing.contract_ledger import LANES
from healing_eval.testing.contract_retention import FEBRUARY, JANUARY, MonthClock, accept, judge
from healing_eval.testing.servers.postgresql import Postgresql
from healing_eval.testing.servers.process import wait_until_ready

pytestmark = pytest.mark.services

COMMAND = str(Path(sys.executable).parent / "healing-eval")


@pytest.fixture
def clock() -> MonthClock:
    return MonthClock()


@pytest.fixture
async def ledger(new_postgresql_url: str, clock: MonthClock) -> AsyncGenerator[PostgresqlLedger]:
    ledger = PostgresqlLedger(new_postgresql_url, clock)
    await ledger.open()
    yield ledger
    await ledger.close()


@pytest.fixture
def archive(tmp_path: Path) -> FileArchive:
    return FileArchive(tmp_path / "archive")


async def fill(ledger: PostgresqlLedger, clock: MonthClock) -> None:
    """Two months: a conversation only in the first, one in both, one only in the second."""
    await judge(ledger, await accept(ledger, "old", 2, Annotation("tone", 1, "ann")))
    await judge(ledger, await accept(ledger, "both", 2, Annotation("tone", 2, "ann")))
    clock.a_month_later()
    await judge(ledger, await accept(ledger, "both", 4))
    await judge(ledger, await accept(ledger, "new"))


async def run(ledger: PostgresqlLedger, archive: FileArchive | None, before: Month = FEBRUARY) -> list[OldMonth]:
    return [one async for one in retain(ledger, archive, before)]


async def what_is_left(ledger: PostgresqlLedger) -> list[str]:
    return [name for name in ("old", "both", "new") if await ledger.find(PROJECT, name)]


async def tables_of(url: str, month: Month) -> list[str]:
    database = PostgresqlDatabase(url)
    async with database.look() as connection:
        found = [one.name for one in await list_partitions(connection) if one.month == month]
    await database.close()
    return found


class Killed(Exception):
    """What a kill looks like from inside: nothing after it happens."""


class Mortal(PostgresqlDatabase):
    """Is killed when its nth transaction begins, or when it was about to be committed."""

    def __init__(self, url: str, lives: int, *, before_commit: bool) -> None:
        super().__init__(url)
        self.lives = lives
        self._before_commit = before_commit

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        with self._one_life():
            async with super().write() as connection:
                yield connection
                self._die_before_commit()

    @asynccontextmanager
    async def patient(self) -> AsyncGenerator[AsyncConnection]:
        with self._one_life():
            async with super().patient() as connection:
                yield connection
                self._die_before_commit()

    @contextmanager
    def _one_life(self) -> Generator[None]:
        self.lives -= 1
        if self.lives == 0 and not self._before_commit:
            raise Killed
        yield

    def _die_before_commit(self) -> None:
        if self.lives == 0:
            raise Killed


@pytest.mark.parametrize("has_tables", [False, True])
@pytest.mark.parametrize("before_commit", [False, True])
async def test_whenever_it_is_killed_the_next_goes_on_and_everything_is_archived_once(
    new_postgresql_url: str,
    ledger: PostgresqlLedger,
    clock: MonthClock,
    archive: FileArchive,
    before_commit: bool,
    has_tables: bool,
) -> None:
    lives, survived = 0, False
    while not survived:
        lives += 1
        if has_tables:
            await ledger.make_room()
        old = await accept(ledger, f"old-{lives}", 2, Annotation("tone", 1, "ann"))
        revised = await accept(ledger, "revised", 2 * lives)
        for key in (old, revised):
            await judge(ledger, key)
        month = Month.of(clock.now)
        clock.now = month.ends
        survived = await survives(new_postgresql_url, lives, archive, month, before_commit)
        await run(ledger, archive, month.next)
        revised = await accept(ledger, "revised", 2 * lives + 2)

        kept = [(part.table, part.rows) for part in await archive.parts() if part.month == month]
        assert kept == [("annotations", 1), ("evaluations", 4), ("issues", 4), ("revisions", 2), ("verdicts", 2)]
        assert await tables_of(new_postgresql_url, month) == []
        assert await ledger.months_before(month.next) == []
        assert await ledger.find(PROJECT, f"old-{lives}") is None
        assert [one.revision_key for one in await ledger.load([old, revised])] == [revised]
        await ledger.delete([revised.conversation_key])

    assert lives > 15


async def survives(url: str, lives: int, archive: FileArchive, month: Month, before_commit: bool) -> bool:
    """Let go of a month until killed; tell whether it got through."""
    database = Mortal(url, lives, before_commit=before_commit)
    months = MonthTables(database)
    try:
        await months.close(month)
        for part in await months.parts(month):
            await archive.keep(part, months.rows(part))
        await months.drop(month)
    except Killed:
        return False
    finally:
        await database.close()
    return True


async def test_work_goes_on_while_a_month_goes_and_while_it_cannot(
    ledger: PostgresqlLedger, clock: MonthClock, new_postgresql_url: str, archive: FileArchive
) -> None:
    await fill(ledger, clock)
    stop = asyncio.Event()
    done: list[RevisionKey] = []

    async def go_on() -> None:
        while not stop.is_set():
            key = await accept(ledger, f"while-{len(done)}")
            await judge(ledger, key)
            done.append(key)

    async def more_is_done() -> None:
        before = len(done)
        while len(done) < before + 3:  # noqa: ASYNC110 - of work that goes on beside us
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as working:
        working.create_task(go_on())
        reader = PostgresqlDatabase(new_postgresql_url)
        async with reader.read() as reading:
            await reading.exec_driver_sql("SELECT count(*) FROM evaluations")  # and looks at it for long
            with pytest.raises(BackendError, match="lock timeout"):
                await run(ledger, archive)
            await more_is_done()
            still = await what_is_left(ledger)
        (month,) = await run(ledger, archive)
        await more_is_done()
        await reader.close()
        stop.set()

    assert still == ["old", "both", "new"]
    assert (month.state, month.conversations) == ("dropped", 1)
    assert await what_is_left(ledger) == ["both", "new"]
    assert len(await ledger.load(done)) == len(done)


async def test_a_conversation_that_is_revised_meanwhile_stays(
    ledger: PostgresqlLedger, clock: MonthClock, new_postgresql_url: str
) -> None:
    await fill(ledger, clock)
    await ledger.close_month(JANUARY)

    receipts = await ledger.add([a_submission(a_conversation("old", 4))], LANES)
    gone = await ledger.drop_month(JANUARY)

    assert (gone, receipts[0].revision_key.revision) == (0, 2)
    assert [one.body for one in await ledger.load([receipts[0].revision_key])] == [
        a_submission(a_conversation("old", 4)).body
    ]


async def test_what_is_deleted_is_deleted_from_a_month_on_its_way_out_as_well(
    ledger: PostgresqlLedger, clock: MonthClock
) -> None:
    await fill(ledger, clock)
    await ledger.close_month(JANUARY)
    head = await ledger.find(PROJECT, "old")
    assert head is not None

    await ledger.delete([head.revision_key.conversation_key])

    parts = {part.table: part.rows for part in await ledger.month_parts(JANUARY)}
    assert parts == {"evaluations": 2, "issues": 2, "revisions": 1, "verdicts": 1}


async def test_a_month_that_came_before_it_had_tables_is_archived_and_dropped(
    ledger: PostgresqlLedger, clock: MonthClock, new_postgresql_url: str, postgresql: Postgresql, archive: FileArchive
) -> None:
    name = new_postgresql_url.rpartition("/")[2]
    postgresql.sql(*(f"DROP TABLE {table}_2031_01" for table in PARTITIONED), database=name)
    await fill(ledger, clock)
    in_default = postgresql.sql("SELECT count(*) FROM revisions_default", database=name)

    (month,) = await run(ledger, archive)

    assert in_default == "2"
    assert (month.month, month.rows["revisions"], month.conversations) == ("2031-01", 2, 1)
    assert postgresql.sql("SELECT count(*) FROM revisions_default", database=name) == "0"
    assert await tables_of(new_postgresql_url, JANUARY) == []


ROWS = 20_000
BODY_BYTES = 6_000
BOUND_BYTES = 60_000_000
"""Half of what all bodies together take."""

A_MONTH_OF_ROWS = f"""
INSERT INTO conversations SELECT sha256(i::text::bytea), 'p', i::text, 1, 'v', 'done', 0, 2, 2, '', 1,
    '2024-03-05', '2024-03-05', 0, NULL, 0 FROM generate_series(1, {ROWS}) AS i;
INSERT INTO revisions SELECT sha256(i::text::bytea), 1, '2024-03-05', 'p', i::text, 'v', '', '', 2, true,
    NULL, NULL, NULL, convert_to('{{"text": "' || repeat(md5(i::text), {BODY_BYTES} / 32) || '"}}', 'UTF8'), 0
    FROM generate_series(1, {ROWS}) AS i
"""


@pytest.fixture
async def large_month(new_postgresql_url: str, postgresql: Postgresql) -> str:
    ledger = PostgresqlLedger(new_postgresql_url)
    await ledger.open()
    await accept(ledger, "new")
    await ledger.close()
    postgresql.sql(*A_MONTH_OF_ROWS.split(";"), database=new_postgresql_url.rpartition("/")[2])
    return new_postgresql_url


def environment(url: str, folder: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HEALING_EVAL_")}
    return clean | {"HEALING_EVAL_STORE_URL": url, "HEALING_EVAL_ARCHIVE_URL": f"file://{folder}/archive"}


def test_a_large_month_is_archived_in_little_memory_though_the_first_try_is_killed(
    large_month: str, tmp_path: Path, postgresql: Postgresql
) -> None:
    how: dict[str, Any] = {"env": environment(large_month, tmp_path), "cwd": tmp_path}
    command = [COMMAND, "retain", "--keep-months", "1", "--format", "json"]
    first = subprocess.Popen(command, **how, stderr=subprocess.DEVNULL)
    wait_until_ready(lambda: bool(list(tmp_path.glob("archive/*/revisions*.unfinished"))), "the first file")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    half = [path.name for path in tmp_path.glob("archive/2024-03/*")]

    done = subprocess.run(command, **how, capture_output=True, text=True, check=True, timeout=55)

    (month,) = json.loads(done.stdout)
    (path,) = tmp_path.glob("archive/2024-03/*")
    lines = subprocess.run(f"gzip -dc {path} | wc -l", shell=True, capture_output=True, text=True, check=True)
    assert all(name.endswith(".unfinished") for name in half)
    assert (month["state"], month["rows"], month["conversations"]) == ("dropped", {"revisions": ROWS}, ROWS)
    assert lines.stdout.strip() == str(ROWS)
    assert postgresql.sql("SELECT count(*) FROM conversations", database=large_month.rpartition("/")[2]) == "1"
    assert grown_by(how) < BOUND_BYTES


_SCRIPT = """
import resource
from healing_eval.cli.main import main
main(['retain', '--keep-months', '1', '--dry-run'], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
IDLE = [sys.executable, "-c", _SCRIPT]


def grown_by(how: dict[str, Any]) -> int:
    """Tell how much more memory the largest child took than one that has nothing to do."""
    idle = subprocess.run(IDLE, **how, capture_output=True, text=True, check=True)
    return 1024 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - int(idle.stdout.split()[-1]))
