"""Which tables are there?

One definition for every dialect. Nothing here needs another conversation: no foreign keys, no sequences. The head,
`conversations`, is one row per conversation. What belongs to one revision carries the revision's `accepted_at`, set
once, in its primary key, so that PostgreSQL partitions it by month (`partitions`). `bucket` in [0, 1024) follows from
the key and names the shard. `project` is copied to wherever a list starts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from healing_eval.backends.sql.types import FreeText, Json, Key, UtcTime

IS_OUTSTANDING = text("outstanding <> 0")
"""The condition of the partial index; only a query that says it in these very words is served by it."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s",
    }
)


def _required(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _of_a_revision(name: str, own_key: tuple[str, ...], *columns: Any, clustered: bool = True) -> Table:
    """Describe a table whose rows belong to one revision.

    Args:
        name: of the table.
        own_key: columns that tell the rows of one revision apart.
        columns: all others.
        clustered: whether SQLite keeps the rows in the primary key's order; not for large ones.
    """
    return Table(
        name,
        metadata,
        _required("conversation_key", Key),
        _required("revision", Integer),
        _required("accepted_at", UtcTime),
        *columns,
        _required("bucket", SmallInteger),
        PrimaryKeyConstraint("conversation_key", "revision", "accepted_at", *own_key),
        sqlite_with_rowid=not clustered,
        postgresql_partition_by="RANGE (accepted_at)",
    )


conversations = Table(
    "conversations",
    metadata,
    _required("conversation_key", Key),
    _required("project", Text),
    _required("conversation_id", Text),
    _required("revision", Integer),  # the latest
    _required("agent_version", Text),
    _required("status", Text),
    _required("outstanding", BigInteger),  # one bit per lane, see `lanes`
    _required("turn_count", Integer),
    _required("entry_count", Integer),  # entries of the body's array; more than turns where tool messages are folded
    _required("prefix_hash", Key),  # the chained hash after the last entry
    _required("whole_revision", Integer),  # the newest revision whose body is stored whole
    _required("accepted_at", UtcTime),  # of the latest revision
    _required("whole_accepted_at", UtcTime),
    _required("annotation_count", Integer),
    Column("failed_because", FreeText),
    _required("bucket", SmallInteger),
    PrimaryKeyConstraint("conversation_key"),
)
Index("ix_conversations_listed", conversations.c.project, conversations.c.accepted_at, conversations.c.conversation_key)
Index(
    "ix_conversations_outstanding",
    conversations.c.accepted_at,
    sqlite_where=IS_OUTSTANDING,
    postgresql_where=IS_OUTSTANDING,
)

revisions = _of_a_revision(
    "revisions",
    (),
    _required("project", Text),
    _required("conversation_id", Text),
    _required("agent_version", Text),
    _required("content_hash", Key),
    _required("prefix_hash", Key),
    _required("turn_count", Integer),
    _required("complete", Boolean),
    Column("base_revision", Integer),  # where the body begins, if not here; every one in between is part of it
    Column("base_accepted_at", UtcTime),
    Column("base_turn_count", Integer),  # entries of the array that earlier revisions hold
    _required("body", LargeBinary),
    clustered=False,
)

evaluations = _of_a_revision(
    "evaluations",
    ("evaluator", "version"),
    _required("evaluator", Text),
    _required("version", Text),
    _required("lane", Text),
    _required("status", Text),  # measured, abstained or failed
    Column("overall", Float),
    Column("confidence", Float),
    Column("explanation", FreeText),
    Column("scores", Json),
    Column("reason", FreeText),
    Column("failure_kind", Text),
    Column("retryable", Boolean),
    Column("raw_answer", FreeText),
    _required("deterministic", Boolean),
    _required("latency_seconds", Float),
    Column("model", FreeText),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("model_calls", Integer),
    Column("cached_input_tokens", BigInteger),
    Column("cost_dollars", Float),
    Column("provider", FreeText),
    Column("deployment", Text),
    Column("model_requests", Integer),
    Column("model_seconds", Float),
    Column("prompt_version", Text),
    Column("votes", Json),
    Column("inclusion_probability", Float),  # null: 1
    _required("evaluated_at", UtcTime),
)

issues = _of_a_revision(
    "issues",
    ("evaluator", "version", "ordinal"),
    _required("evaluator", Text),
    _required("version", Text),
    _required("ordinal", Integer),
    _required("type", Text),
    _required("severity", Text),
    _required("signature", FreeText),
    _required("description", FreeText),
    Column("turn_id", FreeText),
    Column("turn_id_is_number", Boolean),
    Column("tool_name", FreeText),
    Column("argument", FreeText),
    Column("evidence", FreeText),
)

verdicts = _of_a_revision(
    "verdicts",
    (),
    _required("project", Text),
    Column("overall", Float),
    _required("outcome", Text),
    _required("missing", Json),
    _required("weights", Json),
    _required("final", Boolean),
    _required("evaluated_at", UtcTime),
)
Index("ix_verdicts_evaluated", verdicts.c.project, verdicts.c.evaluated_at, verdicts.c.conversation_key)
Index("ix_verdicts_overall", verdicts.c.project, verdicts.c.overall, verdicts.c.conversation_key)

annotations = Table(
    "annotations",
    metadata,
    _required("conversation_key", Key),
    _required("ordinal", Integer),  # 1 for the conversation's first
    _required("type", FreeText),
    _required("label", Json),
    _required("annotator_id", FreeText),
    Column("turn_id", FreeText),
    Column("turn_id_is_number", Boolean),
    Column("confidence", Float),
    Column("notes", FreeText),
    _required("created_at", UtcTime),
    _required("bucket", SmallInteger),
    PrimaryKeyConstraint("conversation_key", "ordinal"),
    sqlite_with_rowid=False,
)

lanes = Table(
    "lanes",
    metadata,
    _required("name", Text),
    _required("bit", BigInteger),
    PrimaryKeyConstraint("name"),
    UniqueConstraint("bit"),
    sqlite_with_rowid=False,
)

compatibility = Table(
    "compatibility",
    metadata,
    _required("oldest_program", Text),  # version of the schema that a program must know at least
    PrimaryKeyConstraint("oldest_program"),
    sqlite_with_rowid=False,
)

api_keys = Table(
    "api_keys",
    metadata,
    _required("key_id", Text),
    _required("secret_hash", LargeBinary),
    _required("project", Text),
    _required("scopes", Json),
    _required("name", FreeText),
    _required("created_at", UtcTime),
    Column("revoked_at", UtcTime),
    PrimaryKeyConstraint("key_id"),
    sqlite_with_rowid=False,
)

cached_results = Table(
    "cached_results",
    metadata,
    _required("key", LargeBinary),  # a digest, made by who asks
    _required("value", LargeBinary),
    _required("expires_at", UtcTime),
    PrimaryKeyConstraint("key"),
)
Index("ix_cached_results_expired", cached_results.c.expires_at)

batches = Table(
    "batches",
    metadata,
    _required("batch_id", Text),
    _required("pool", Text),
    _required("deployment", Text),
    Column("provider_id", Text),
    _required("questions", Integer),
    _required("created_at", UtcTime),
    Column("ended_at", UtcTime),
    _required("cancelled", Boolean),
    Column("answered", Integer),
    Column("reason", FreeText),
    PrimaryKeyConstraint("batch_id"),
)
Index("ix_batches_ended", batches.c.ended_at, batches.c.created_at)

batch_questions = Table(
    "batch_questions",
    metadata,
    _required("key", LargeBinary),  # a digest, made by who asks
    _required("pool", Text),
    Column("about", Key),
    _required("mark", FreeText),
    _required("state", Text),  # as in ports.batch_work
    Column("batch_id", Text),
    _required("failures", Integer),
    _required("request_bytes", Integer),
    Column("request", LargeBinary),  # until it is answered
    Column("answer", LargeBinary),
    _required("asked_at", UtcTime),
    Column("expires_at", UtcTime),  # once it needs no batch any more
    PrimaryKeyConstraint("key"),
)
Index("ix_batch_questions_waiting", batch_questions.c.state, batch_questions.c.pool, batch_questions.c.asked_at)
Index("ix_batch_questions_batch", batch_questions.c.batch_id)
Index("ix_batch_questions_about", batch_questions.c.about)
Index("ix_batch_questions_expired", batch_questions.c.expires_at)
