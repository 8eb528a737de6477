from __future__ import annotations

import pytest
from sqlalchemy import Table, create_engine, select
from sqlalchemy.dialects import sqlite

from healing_eval.backends.sql.rows import of_revisions
from healing_eval.backends.sql.tables import conversations, evaluations, issues, metadata, revisions, verdicts
from healing_eval.domain.revision import RevisionKey


@pytest.mark.parametrize("table", [conversations, evaluations, issues, revisions, verdicts], ids=str)
def test_revisions_are_found_through_an_index(table: Table) -> None:
    engine = create_engine("sqlite://")
    keys = [RevisionKey(b"a" * 16, 1), RevisionKey(b"b" * 16, 2)]

    with engine.connect() as connection:
        metadata.create_all(connection)
        compiled = (
            select(table)
            .where(of_revisions(connection, table, keys))
            .compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
        )
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", (0,) * str(compiled).count("?")).all()
    engine.dispose()

    assert plan[0].detail.startswith(f"SEARCH {table.name} USING")
