"""Schemas change while the version before is still at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.sql.engine import RACES, is_lost_race
from healing_eval.backends.sql.migrate import HEAD, MIGRATIONS, stored_version, upgrade
from healing_eval.backends.sql.partitions import PARTITIONED, detach_month, make_partitions
from healing_eval.backends.sql.postgresql import PostgresqlDatabase
from healing_eval.backends.sql.tables import metadata
from healing_eval.domain.evaluation import ModelUse
from healing_eval.domain.month import Month
from healing_eval.domain.revision import RevisionKey
from healing_eval.errors import BackendError, ConfigError
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


async def work_as_before(ledger: PostgresqlLedger, database: PostgresqlDatabase, name: str) -> RevisionKey:
    """Do with a conversation what the version before did, which named the columns it knew."""
    receipts = await ledger.add([a_submission(a_conversation(name, 2))], LANES)
    columns = (
        "conversation_key, revision, accepted_at, evaluator, version, lane, status, reason, deterministic,"
        " latency_seconds, model, input_tokens, output_tokens, model_calls, evaluated_at, bucket"
    )
    insertion = (
        f"INSERT INTO evaluations ({columns}) SELECT conversation_key, revision, accepted_at, 'before', '1', 'judges',"
        " 'abstained', 'of old', false, 0, 'gpt-x', 30, 20, 1, accepted_at, bucket"
        " FROM conversations WHERE conversation_id = :name"
    )
    for _ in range(RACES):
        try:
            async with database.write() as connection:
                await connection.execute(text(insertion), {"name": name})
                await connection.execute(text(f"SELECT {columns} FROM evaluations"))
            break
        except BackendError as error:  # its month was made while the row was on its way
            if not is_lost_race(error):
                raise
    else:
        pytest.fail("the month was made again and again")
    return receipts[0].revision_key


async def test_the_version_before_goes_on_while_this_one_migrates_a_store_with_data(
    new_postgresql_url: str, database: PostgresqlDatabase
) -> None:
    await run(database, f"{int(HEAD) - 1:04d}")
    before = PostgresqlLedger.from_url(new_postgresql_url)  # is not opened, as it would migrate
    keys = [await work_as_before(before, database, f"before-{number}") for number in range(3)]

    async def go_on() -> None:
        keys.extend([await work_as_before(before, database, f"meanwhile-{number}") for number in range(10)])

    after = PostgresqlLedger.from_url(new_postgresql_url)
    await asyncio.gather(go_on(), after.open())
    keys.append(await work_as_before(before, database, "later"))

    assert await version_in(database) == HEAD
    assert await work(after, "new") == "done"
    assert await after.count_by_status() == {"pending": 14, "done": 1}
    for key in keys:
        found = await after.evaluated(key.conversation_key)
        assert found is not None
        assert [one.model_use for one in found.evaluations] == [ModelUse("gpt-x", 30, 20)]
    await before.close()
    await after.close()


async def test_a_month_on_its_way_out_is_migrated_too(new_postgresql_url: str, database: PostgresqlDatabase) -> None:
    await run(database, "0002")
    month = Month(2024, 1)
    await make_partitions(database, [month])
    await detach_month(database, month)

    await run(database, HEAD)

    async with database.look() as connection:
        await connection.execute(text("SELECT cached_input_tokens, cost_dollars FROM evaluations_2024_01"))


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
