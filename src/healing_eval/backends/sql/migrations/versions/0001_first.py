"""Version 0001: all tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON().with_variant(JSONB(), "postgresql")
_BY_MONTH = "RANGE (accepted_at)"
_PARTITIONED = ("evaluations", "issues", "revisions", "verdicts")


def upgrade() -> None:
    _create_annotations()
    _create_api_keys()
    _create_conversations()
    _create_evaluations()
    _create_issues()
    _create_lanes()
    _create_revisions()
    _create_verdicts()
    lanes = sa.table("lanes", sa.column("name", sa.Text), sa.column("bit", sa.BigInteger))
    op.bulk_insert(lanes, [{"name": "checks", "bit": 1}, {"name": "judges", "bit": 2}])
    if op.get_context().dialect.name == "postgresql":
        _finish_postgresql()


def _finish_postgresql() -> None:
    for name in _PARTITIONED:
        # Whatever no month's partition takes goes here, so that nothing is ever refused.
        op.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")
    for name, column in (("revisions", "body"), ("evaluations", "raw_answer"), ("issues", "evidence")):
        for table in (name, f"{name}_default"):
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET COMPRESSION lz4")


def downgrade() -> None:
    op.drop_table("annotations")
    op.drop_table("api_keys")
    op.drop_table("conversations")
    op.drop_table("evaluations")
    op.drop_table("issues")
    op.drop_table("lanes")
    op.drop_table("revisions")
    op.drop_table("verdicts")


def _create_annotations() -> None:
    op.create_table(
        "annotations",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("label", _JSON, nullable=False),
        sa.Column("annotator_id", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text()),
        sa.Column("turn_id_is_number", sa.Boolean()),
        sa.Column("confidence", sa.Float()),
        sa.Column("notes", sa.Text()),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_key", "ordinal", name="pk_annotations"),
        sqlite_with_rowid=False,
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sqlite_with_rowid=False,
    )


def _create_conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("agent_version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("outstanding", sa.BigInteger(), nullable=False),
        sa.Column("turn_count", sa.Integer(), nullable=False),
        sa.Column("entry_count", sa.Integer(), nullable=False),
        sa.Column("prefix_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("whole_revision", sa.Integer(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("whole_accepted_at", _TIME, nullable=False),
        sa.Column("annotation_count", sa.Integer(), nullable=False),
        sa.Column("failed_because", sa.Text()),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_key", name="pk_conversations"),
    )
    op.create_index("ix_conversations_listed", "conversations", ["project", "accepted_at", "conversation_key"])
    op.create_index(
        "ix_conversations_outstanding",
        "conversations",
        ["accepted_at"],
        sqlite_where=sa.text("outstanding <> 0"),
        postgresql_where=sa.text("outstanding <> 0"),
    )


def _create_evaluations() -> None:
    op.create_table(
        "evaluations",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("overall", sa.Float()),
        sa.Column("confidence", sa.Float()),
        sa.Column("explanation", sa.Text()),
        sa.Column("scores", _JSON),
        sa.Column("reason", sa.Text()),
        sa.Column("failure_kind", sa.Text()),
        sa.Column("retryable", sa.Boolean()),
        sa.Column("raw_answer", sa.Text()),
        sa.Column("deterministic", sa.Boolean(), nullable=False),
        sa.Column("latency_seconds", sa.Float(), nullable=False),
        sa.Column("model", sa.Text()),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("model_calls", sa.Integer()),
        sa.Column("evaluated_at", _TIME, nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "conversation_key", "revision", "accepted_at", "evaluator", "version", name="pk_evaluations"
        ),
        sqlite_with_rowid=False,
        postgresql_partition_by=_BY_MONTH,
    )


def _create_issues() -> None:
    op.create_table(
        "issues",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("evaluator", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("turn_id", sa.Text()),
        sa.Column("turn_id_is_number", sa.Boolean()),
        sa.Column("tool_name", sa.Text()),
        sa.Column("argument", sa.Text()),
        sa.Column("evidence", sa.Text()),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "conversation_key", "revision", "accepted_at", "evaluator", "version", "ordinal", name="pk_issues"
        ),
        sqlite_with_rowid=False,
        postgresql_partition_by=_BY_MONTH,
    )


def _create_lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bit", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lanes"),
        sa.UniqueConstraint("bit", name="uq_lanes"),
        sqlite_with_rowid=False,
    )


def _create_revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Text(), nullable=False),
        sa.Column("agent_version", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("prefix_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("turn_count", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("base_revision", sa.Integer()),
        sa.Column("base_accepted_at", _TIME),
        sa.Column("base_turn_count", sa.Integer()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_key", "revision", "accepted_at", name="pk_revisions"),
        postgresql_partition_by=_BY_MONTH,
    )


def _create_verdicts() -> None:
    op.create_table(
        "verdicts",
        sa.Column("conversation_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("accepted_at", _TIME, nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("overall", sa.Float()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("missing", _JSON, nullable=False),
        sa.Column("weights", _JSON, nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("evaluated_at", _TIME, nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_key", "revision", "accepted_at", name="pk_verdicts"),
        sqlite_with_rowid=False,
        postgresql_partition_by=_BY_MONTH,
    )
    op.create_index("ix_verdicts_evaluated", "verdicts", ["project", "evaluated_at", "conversation_key"])
    op.create_index("ix_verdicts_overall", "verdicts", ["project", "overall", "conversation_key"])
