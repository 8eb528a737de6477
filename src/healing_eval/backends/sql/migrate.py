"""How does a store get the schema this version speaks?

A migration expands first and contracts a version later, so that a rolling deploy works: this version also runs on the
schema of the next one. The table `compatibility` says which version of the program a store needs at least.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, func, inspect, select, table, text

from healing_eval.errors import BackendError
from healing_eval.ports.ledger import Schema

HEAD = "0006"
"""The schema this version speaks. Known here, so that a store that has it opens without Alembic."""

MIGRATIONS = Path(__file__).parent / "migrations"

LOCK = 0x4865_616C_4D69_6772
"""Key of the advisory lock under which one process migrates and all others wait."""

LOCK_TIMEOUT = "5s"
"""How long a migration waits for a table, and makes everyone behind it wait as well."""

_VERSION = table("alembic_version", column("version_num"))
_COMPATIBILITY = table("compatibility", column("oldest_program"))


def is_usable(connection: Connection) -> bool:
    """Tell whether this version can work on the store as it is.

    Raises:
        BackendError: the store is of a version that this one cannot work with.
    """
    found = stored_version(connection)
    if found is None or (found != HEAD and found in known_versions()):
        return False
    if found != HEAD and not _is_next_and_compatible(connection, found):
        raise BackendError(
            f"the store has schema version {found!r}, this Healing Eval works with versions up to the one after"
            f" {HEAD!r} where that is compatible; a newer one has opened it: install that, or use another store"
        )
    return True


def schema_of(connection: Connection) -> Schema:
    """Tell which schema the store has and which one this version makes of it.

    Raises:
        BackendError: the store is of a version that this one cannot work with.
    """
    found, usable = stored_version(connection), is_usable(connection)
    return Schema(found, found if usable and found is not None else HEAD)


def schema_in_words(connection: Connection) -> str:
    """Say which schema the store has, and what becomes of it at the next start.

    Raises:
        BackendError: the store is of a version that this one cannot work with.
    """
    schema = schema_of(connection)
    if schema.stored == schema.wanted:
        return f"schema {schema.stored}"
    has = "no schema yet" if schema.stored is None else f"schema {schema.stored}"
    return f"{has}, {schema.wanted} from the start on"


def bring_up_to_date(connection: Connection) -> None:
    """Run the missing migrations, within the connection's transaction; one process at a time does so.

    Raises:
        BackendError: the store is of a version that this one cannot work with.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    if not is_usable(connection):
        upgrade(connection)


def upgrade(connection: Connection, target: str = "head", folder: Path = MIGRATIONS) -> None:
    """Run the migrations of a folder up to a version, within the connection's transaction."""
    # Alembic costs more to import than everything else here, and most starts need none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, target)


def known_versions() -> set[str]:
    """List the versions that this one can migrate from, and its own."""
    return {f"{number:04d}" for number in range(1, int(HEAD) + 1)}


def stored_version(connection: Connection) -> str | None:
    """Read the version of the store's schema; None if it has none yet."""
    if not inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(select(_VERSION.c.version_num)).scalar()


def _is_next_and_compatible(connection: Connection, found: str) -> bool:
    if not found.isdecimal() or int(found) != int(HEAD) + 1:
        return False
    oldest = connection.execute(select(_COMPATIBILITY.c.oldest_program)).scalar_one()
    return int(oldest) <= int(HEAD)
