"""What does a machine get to read? One line per evaluated conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

from healing_eval.cli.offline import Evaluated
from healing_eval.cli.text import escape_controls
from healing_eval.domain.evaluation import Evaluation, ModelUse, Result, Verdict


class EvaluationLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """An evaluation without the key of the conversation it stands under."""

    evaluator: str
    version: str
    result: Result
    deterministic: bool = True
    model_use: ModelUse | None = None


class ConversationLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is written about one conversation."""

    conversation_id: str
    agent_version: str
    verdict: Verdict
    evaluations: list[EvaluationLine]
    revision: int = 1
    notes: tuple[str, ...] = ()
    """What was repaired in the input."""


class JsonLines:
    """Writes evaluated conversations as JSON lines, a batch at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, batch: Sequence[Evaluated]) -> None:
        """Write a batch and flush it, so that whoever reads along sees it now."""
        lines = self._encoder.encode_lines([_line(one) for one in batch])
        self._stream.write(escape_controls(lines))
        self._stream.flush()


def _line(one: Evaluated) -> ConversationLine:
    conversation = one.item.conversation
    return ConversationLine(
        conversation_id=conversation.conversation_id,
        agent_version=conversation.agent_version,
        verdict=one.verdict,
        evaluations=[_evaluation(evaluation) for evaluation in one.evaluations],
        revision=one.revision,
        notes=one.item.notes,
    )


def _evaluation(one: Evaluation) -> EvaluationLine:
    return EvaluationLine(one.evaluator, one.version, one.result, one.deterministic, one.model_use)
