"""Version 0003: an evaluation tells what its model's answers cost, and how much of the input came from a cache.

It only adds, so the version before goes on writing; what it writes has no known cost.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Months on their way out are tables of their own, which a change of the common one does not reach.
_DETACHED = sa.text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND NOT relispartition"
    r" AND relname ~ '^evaluations_\d{4}_\d{2}$'"
    " AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'evaluations'::regclass)"
)


def upgrade() -> None:
    for table in ("evaluations", *_detached()):
        op.add_column(table, sa.Column("cached_input_tokens", sa.BigInteger()))
        op.add_column(table, sa.Column("cost_dollars", sa.Float()))


def downgrade() -> None:
    for table in ("evaluations", *_detached()):
        op.drop_column(table, "cost_dollars")
        op.drop_column(table, "cached_input_tokens")


def _detached() -> list[str]:
    if op.get_context().dialect.name != "postgresql":
        return []
    return list(op.get_bind().execute(_DETACHED).scalars())
