"""Version 0005: an evaluation tells who served, after how much, what each of several models said, and its chance.

It only adds, so the version before goes on writing; what it writes was chosen for certain.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Months on their way out are tables of their own, which a change of the common one does not reach.
_DETACHED = sa.text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
    r" AND relname ~ '^evaluations_\d{4}_\d{2}$'"
    " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'evaluations'::regclass)"
)


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("provider", sa.Text()),
        sa.Column("deployment", sa.Text()),
        sa.Column("model_requests", sa.Integer()),
        sa.Column("model_seconds", sa.Float()),
        sa.Column("prompt_version", sa.Text()),
        sa.Column("votes", sa.JSON().with_variant(JSONB(), "postgresql")),
        sa.Column("inclusion_probability", sa.Float()),
    ]


def upgrade() -> None:
    for table in ("evaluations", *_detached()):
        for column in _columns():
            op.add_column(table, column)


def downgrade() -> None:
    for table in ("evaluations", *_detached()):
        for column in reversed(_columns()):
            op.drop_column(table, column.name)


def _detached() -> list[str]:
    if op.get_context().dialect.name != "postgresql":
        return []
    return list(op.get_bind().execute(_DETACHED).scalars())
