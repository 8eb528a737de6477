from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.sql.migrate import HEAD, MIGRATIONS
from healing_eval.backends.sql.tables import metadata
from healing_eval.errors import BackendError


async def opened_and_closed(path: Path) -> None:
    ledger = SqliteLedger.from_url(f"sqlite:///{path}")
    try:
        await ledger.open()
    finally:
        await ledger.close()


def test_the_known_head_is_the_newest_migration() -> None:
    assert ScriptDirectory(MIGRATIONS).get_current_head() == HEAD


async def test_the_migrations_lead_to_the_tables_the_code_speaks(tmp_path: Path) -> None:
    await opened_and_closed(tmp_path / "store.db")

    engine = create_engine(f"sqlite:///{tmp_path}/store.db")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        keys = {
            table.name: inspect(connection).get_pk_constraint(table.name)["constrained_columns"]
            for table in metadata.sorted_tables
        }
    engine.dispose()
    assert differences == []
    assert keys == {table.name: list(table.primary_key.columns.keys()) for table in metadata.sorted_tables}


async def test_a_store_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    await opened_and_closed(tmp_path / "store.db")
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(BackendError, match=r"'9999'.*newer"):
        await opened_and_closed(tmp_path / "store.db")


async def test_a_store_of_this_version_opens_without_alembic(tmp_path: Path) -> None:
    await opened_and_closed(tmp_path / "store.db")
    script = (
        "import asyncio, sys\n"
        "from healing_eval.backends.ledger.sqlite import SqliteLedger\n"
        "async def main():\n"
        "    ledger = SqliteLedger.from_url(sys.argv[1])\n"
        "    await ledger.open()\n"
        "    await ledger.close()\n"
        "asyncio.run(main())\n"
        "sys.exit('alembic' in sys.modules)\n"
    )

    child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, f"sqlite:///{tmp_path}/store.db")

    assert await child.wait() == 0
