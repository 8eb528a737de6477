"""Version 0002: the store says which version of the program it needs at least.

A migration that only adds leaves the row alone: the program before it goes on working. One that takes something away
writes the version of the first program that does without.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "compatibility",
        sa.Column("oldest_program", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("oldest_program", name="pk_compatibility"),
        sqlite_with_rowid=False,
    )
    compatibility = sa.table("compatibility", sa.column("oldest_program", sa.Text))
    op.bulk_insert(compatibility, [{"oldest_program": "0001"}])


def downgrade() -> None:
    op.drop_table("compatibility")
