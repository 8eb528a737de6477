"""What do we answer? The shapes of the responses; attribute docstrings become the OpenAPI's descriptions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from healing_eval.domain.annotation import Annotation
from healing_eval.domain.conversation import Conversation, ToolDefinition, Turn, key_to_text
from healing_eval.domain.evaluation import Evaluation, ModelUse, Result, Verdict
from healing_eval.domain.revision import ConversationHead, Status
from healing_eval.ports.ledger import EvaluatedRevision


class ConversationView(msgspec.Struct, frozen=True, kw_only=True):
    """The current state of a conversation."""

    conversation_id: str
    """As its sender gave it."""
    key: str
    """26 characters that name it in a path, as its id does."""
    agent_version: str
    status: Status
    """pending: waits for evaluation. evaluating: some lanes have finished. done: all have. unevaluable: it has no
    assistant turn. failed: a lane was given up."""
    revision: int
    """The latest revision, from 1."""
    turn_count: int
    accepted_at: datetime
    """When the latest revision was stored, UTC."""
    outstanding: tuple[str, ...]
    """Lanes that have not finished."""

    @classmethod
    def of(cls, head: ConversationHead) -> ConversationView:
        """Show a head."""
        return cls(
            conversation_id=head.conversation_id,
            key=key_to_text(head.revision_key.conversation_key),
            agent_version=head.agent_version,
            status=head.status,
            revision=head.revision_key.revision,
            turn_count=head.turn_count,
            accepted_at=head.accepted_at,
            outstanding=head.outstanding,
        )


class ConversationPage(msgspec.Struct, frozen=True):
    """One page of conversations, newest first."""

    items: tuple[ConversationView, ...]
    next_cursor: str | None
    """Hand it back for the next page; null on the last. Opaque."""


class ContentView(msgspec.Struct, frozen=True):
    """What was said and done, as evaluators read it; the body as it was sent is at `/body`."""

    turns: tuple[Turn, ...]
    tools: tuple[ToolDefinition, ...]
    system_prompt: str | None
    complete: bool
    """False while more turns are expected."""
    metadata: dict[str, Any]

    @classmethod
    def of(cls, conversation: Conversation) -> ContentView:
        """Show a conversation's content."""
        return cls(
            turns=conversation.turns,
            tools=conversation.tools,
            system_prompt=conversation.system_prompt,
            complete=conversation.complete,
            metadata=conversation.metadata,
        )


class ConversationDetail(msgspec.Struct, frozen=True):
    """A conversation with its content and what people said about it."""

    conversation: ConversationView
    content: ContentView
    annotations: tuple[Annotation, ...]
    """Oldest first."""


class EvaluationView(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one evaluator version on one revision."""

    evaluator: str
    version: str
    """Changes whenever the same conversation may be judged differently."""
    result: Result
    deterministic: bool
    """Whether the same conversation always gives the same result (no model asked)."""
    latency_seconds: float
    model_use: ModelUse | None
    """Which model served; null when none was asked."""
    evaluated_at: datetime | None
    inclusion_probability: float
    """With which probability the conversation was chosen for this evaluator, in [0, 1]; 0: a budget was spent."""

    @classmethod
    def of(cls, evaluation: Evaluation) -> EvaluationView:
        """Show an evaluation."""
        return cls(
            evaluator=evaluation.evaluator,
            version=evaluation.version,
            result=evaluation.result,
            deterministic=evaluation.deterministic,
            latency_seconds=evaluation.latency_seconds,
            model_use=evaluation.model_use,
            evaluated_at=evaluation.evaluated_at,
            inclusion_probability=evaluation.inclusion_probability,
        )


class EvaluatedView(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation's verdict and the evaluations behind it."""

    conversation: ConversationView
    revision: int
    """The revision evaluated; the conversation may be further on."""
    verdict: Verdict | None
    """Null until the first lane has finished."""
    evaluations: tuple[EvaluationView, ...]

    @classmethod
    def of(cls, evaluated: EvaluatedRevision) -> EvaluatedView:
        """Show an evaluated revision."""
        return cls(
            conversation=ConversationView.of(evaluated.head),
            revision=evaluated.revision,
            verdict=evaluated.verdict,
            evaluations=tuple(EvaluationView.of(evaluation) for evaluation in evaluated.evaluations),
        )


class EvaluatedPage(msgspec.Struct, frozen=True):
    """One page of evaluated conversations, in the order asked for."""

    items: tuple[EvaluatedView, ...]
    next_cursor: str | None
    """Hand it back, with the same query, for the next page; null on the last. Opaque."""


class Health(msgspec.Struct, frozen=True):
    """That the server runs, or is ready."""

    status: str
