"""Version 0004: results of evaluators that ask a model can be remembered in the store.

It only adds a table, so the version before goes on working.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cached_results",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_cached_results"),
    )
    op.create_index("ix_cached_results_expired", "cached_results", ["expires_at"])
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE cached_results ALTER COLUMN value SET COMPRESSION lz4")


def downgrade() -> None:
    op.drop_table("cached_results")
