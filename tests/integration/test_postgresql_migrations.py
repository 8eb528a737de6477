"""Schemas change while the version before is still at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.migrate import HEAD, MIGRATIONS, stored_version, upgrade
from healing_eval.backends.sql.partitions import PARTITIONED
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.backends.sql.tables import metadata
from healing_eval.errors import ConfigError
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, close
from healing_eval.testing.servers.postgresql import Postgresql

pytestmark = pytest.mark.services

NEXT = f"{int(HEAD) + 1:04d}"

EXPANSION = f'''
revision, down_revision, branch_labels, depends_on = "{NEXT}", "{HEAD}", None, None

import sqlalchemy as sa
from alembic import op

def upgrade():
    op.add_column("revisions", sa.Column("language", sa.Text()))
    op.add_column("conversations", sa.Column("topic", sa.Text()))
    op.create_index("ix_revisions_language", "revisions", ["language"])
'''


@pytest.fixture
async def database(new_postgresql_url: str) -> AsyncGenerator[PostgresqlDatabase]:
    database = PostgresqlDatabase(new_postgresql_url)
    yield database
    await database.close()


async def run(database: PostgresqlDatabase, target: str, folder: Path = MIGRATIONS) -> None:
    """Run migrations as `open` would, up to a version."""

    def migrate(connection: Connection) -> None:
        upgrade(connection, target, folder)

    async with database.patient() as connection:
        await connection.run_sync(migrate)


async def version_in(database: PostgresqlDatabase) -> str | None:
    async with database.look() as connection:
        return await connection.run_sync(stored_version)


async def work(ledger: PostgresqlLedger, name: str) -> str | None:
    """Do with a conversation all that is ever done, and tell its status."""
    for turns in (2, 4):
        receipts = await ledger.add([a_submission(a_conversation(name, turns))], LANES)
    key = receipts[0].revision_key
    for lane in LANES:
        await close(ledger, lane, key, an_evaluation(key.conversation_key, f"of-{lane}", issues=[an_issue()]))
    await ledger.load([key])
    head = await ledger.find(PROJECT, name)
    return head.status if head else None


async def test_the_migrations_lead_to_the_tables_the_code_speaks(
    new_postgresql_url: str, database: PostgresqlDatabase
) -> None:
    ledger = PostgresqlLedger.from_url(new_postgresql_url)
    await ledger.open()
    await ledger.close()

    def compare(connection: Connection) -> tuple[object, object]:
        months = {name for name in inspect(connection).get_table_names() if name not in metadata.tables}
        options = {"include_name": lambda name, kind, _: kind != "table" or name not in months}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        partitioned = connection.exec_driver_sql(
            "SELECT relname FROM pg_partitioned_table JOIN pg_class ON oid = partrelid ORDER BY relname"
        )
        return differences, tuple(partitioned.scalars())

    async with database.look() as connection:
        assert await connection.run_sync(compare) == ([], PARTITIONED)


async def test_processes_that_start_at_the_same_time_migrate_once(new_postgresql_url: str) -> None:
    ledgers = [PostgresqlLedger.from_url(new_postgresql_url) for _ in range(4)]

    await asyncio.gather(*(ledger.open() for ledger in ledgers))

    assert await work(ledgers[0], "c-1") == "done"
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_the_version_before_goes_on_while_this_one_migrates_a_store_with_data(
    new_postgresql_url: str, database: PostgresqlDatabase
) -> None:
    await run(database, f"{int(HEAD) - 1:04d}")
    before = PostgresqlLedger.from_url(new_postgresql_url)  # is not opened, as it would migrate
    statuses = [await work(before, f"before-{number}") for number in range(3)]

    async def go_on() -> None:
        for number in range(10):
            statuses.append(await work(before, f"meanwhile-{number}"))

    after = PostgresqlLedger.from_url(new_postgresql_url)
    await asyncio.gather(go_on(), after.open())
    statuses += [await work(before, "later"), await work(after, "new")]

    assert await version_in(database) == HEAD
    assert statuses == ["done"] * 15
    assert await after.count_by_status() == {"done": 15}
    await before.close()
    await after.close()


@pytest.fixture
def next_migrations(tmp_path: Path) -> Path:
    """What the next version will bring: ours, and one migration that only adds."""
    folder = tmp_path / "migrations"
    copytree(MIGRATIONS, folder, ignore=ignore_patterns("__pycache__"))
    (folder / "versions" / f"{NEXT}_expansion.py").write_text(EXPANSION)
    return folder


async def test_this_version_goes_on_and_starts_again_on_the_schema_of_the_next(
    new_postgresql_url: str, database: PostgresqlDatabase, next_migrations: Path
) -> None:
    running = PostgresqlLedger.from_url(new_postgresql_url)
    await running.open()
    statuses = [await work(running, "before")]

    await run(database, "head", next_migrations)
    started = PostgresqlLedger.from_url(new_postgresql_url)
    await started.open()
    statuses += [await work(running, "after"), await work(started, "another")]

    assert await version_in(database) == NEXT
    assert statuses == ["done"] * 3
    await running.close()
    await started.close()


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE alembic_version SET version_num = '{int(HEAD) + 2:04d}'",
        f"UPDATE alembic_version SET version_num = '{NEXT}'; UPDATE compatibility SET oldest_program = '{NEXT}'",
        "UPDATE alembic_version SET version_num = 'abcdef'",
    ],
)
async def test_a_store_too_far_ahead_or_marked_incompatible_is_refused_with_what_to_do(
    postgresql: Postgresql, new_postgresql_url: str, change: str
) -> None:
    ledger = PostgresqlLedger.from_url(new_postgresql_url)
    await ledger.open()
    postgresql.sql(change, database=new_postgresql_url.rpartition("/")[2])

    with pytest.raises(ConfigError, match=r"store_url.*schema version '\w+'.*newer"):
        await ledger.open()

    await ledger.close()
