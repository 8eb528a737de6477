"""Version 0006: questions that may wait are asked in batches, which outlive the processes that hand them in.

It only adds tables, so the version before goes on working.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("answered", sa.Integer()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("batch_id", name="pk_batches"),
    )
    op.create_index("ix_batches_ended", "batches", ["ended_at", "created_at"])
    op.create_table(
        "batch_questions",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("about", sa.LargeBinary(16)),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("request_bytes", sa.Integer(), nullable=False),
        sa.Column("request", sa.LargeBinary()),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("key", name="pk_batch_questions"),
    )
    op.create_index("ix_batch_questions_waiting", "batch_questions", ["state", "pool", "asked_at"])
    op.create_index("ix_batch_questions_batch", "batch_questions", ["batch_id"])
    op.create_index("ix_batch_questions_about", "batch_questions", ["about"])
    op.create_index("ix_batch_questions_expired", "batch_questions", ["expires_at"])
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE batch_questions ALTER COLUMN request SET COMPRESSION lz4")
        op.execute("ALTER TABLE batch_questions ALTER COLUMN answer SET COMPRESSION lz4")


def downgrade() -> None:
    op.drop_table("batch_questions")
    op.drop_table("batches")
