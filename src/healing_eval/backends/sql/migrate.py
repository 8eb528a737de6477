"""How does a store get the schema this version speaks?"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from healing_eval.errors import BackendError

HEAD = "0001"
"""The schema this version speaks. Known here, so that a store that has it opens without Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION = table("alembic_version", column("version_num"))


def bring_up_to_date(connection: Connection) -> None:
    """Run the missing migrations, within the connection's transaction.

    Raises:
        BackendError: the store's version is none of ours, so a newer Healing Eval made it.
    """
    found = stored_version(connection)
    if found == HEAD:
        return
    # Alembic costs more to import than everything else here, and most starts need none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    known = [script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()]
    if found is not None and found not in known:
        raise BackendError(
            f"the store has schema version {found!r}, this Healing Eval knows versions up to {HEAD!r};"
            " it was opened by a newer one: install that, or use another store"
        )
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")


def stored_version(connection: Connection) -> str | None:
    """Read the version of the store's schema; None if it has none yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()
