"""What looks at a conversation and says what it thinks?"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import msgspec

from healing_eval.domain.conversation import Conversation, TurnId
from healing_eval.domain.evaluation import Evaluation
from healing_eval.domain.issue_types import Severity
from healing_eval.ports.cache import Results
from healing_eval.ports.chat_model import ChatModel


class EvaluatorSetup(msgspec.Struct, frozen=True):
    """What an evaluator is built from."""

    options: Mapping[str, Any] = {}
    """The evaluator's own table of the settings, `[evaluators.NAME]`; unknown names are its to refuse."""
    model: ChatModel | None = None
    """The configured language model; None when there is none."""
    model_timeout_seconds: float = 60.0
    """How long one answer may take."""
    model_wait_seconds: float = 0.0
    """How long a question may wait for its turn under a limit before that; infinite: as long as it takes. 0 where
    nothing limits the model, so that one that hangs is given up no later than it has to answer."""
    deadline_seconds: float = math.inf
    """How long one evaluation that asks a model may take in all."""
    more_models: tuple[ChatModel, ...] = ()
    """Further ones that are asked as well, if several are configured for this evaluator."""
    checks: Checks | None = None
    """The deterministic evaluator it names in `facts_from`, whose findings it may tell a model; None: no such one."""
    results: Results | None = None
    """What it found before; None if nothing is remembered."""
    lane: Literal["now", "batch"] = "now"
    """`batch`: its questions may wait for a day, and each is to say so and to have a key."""


class Fact(Protocol):
    """What of an issue others are told."""

    @property
    def type(self) -> str: ...

    @property
    def severity(self) -> Severity: ...

    @property
    def description(self) -> str: ...

    @property
    def turn_id(self) -> TurnId | None: ...


class Checks(Protocol):
    """What a deterministic evaluator has besides, if others are to be told what it finds."""

    name: str
    version: str

    def facts(self, conversation: Conversation) -> Sequence[Fact] | None:
        """Find them; None if it has no opinion on the conversation."""
        ...

    def facts_in(self, issues: Sequence[Fact]) -> Sequence[Fact]:
        """Give those of the issues it found that are facts; what it only suspects is none."""
        ...


class Evaluator(Protocol):
    """Looks at conversations and yields one evaluation for each, in any order, as soon as it is ready.

    A class may say besides, in `opt_in = True`, that it is asked only where a model is configured for it by name, and
    in `facts_from` which deterministic evaluator's findings it wants to know.

    An evaluator keeps no state about a conversation, so one instance serves many batches at once. It raises nothing
    for a conversation it cannot handle: it abstains, or yields a failure.
    """

    name: str
    version: str
    """Changes whenever the same conversation may be judged differently: code, rubric, parameters, configured model."""
    weight: float
    """Default share in the verdict, any positive scale; the built-in ones use percent."""
    lane: str
    """The stream its work travels on: `checks` (no model) or `judges`."""
    needs: frozenset[str]
    """What it cannot do without: any of "tool_calls", "two_turns", "model"."""

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        """Build the evaluator.

        Raises:
            ConfigError: an option is unknown or has the wrong type or range.
        """
        ...

    def inapplicable(self, conversation: Conversation) -> str | None:
        """Say why this evaluator has no opinion on the conversation; None if it has."""
        ...

    def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        """Evaluate a batch; every conversation gets exactly one evaluation."""
        ...
