"""How is a language model asked?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import msgspec


class ChatMessage(msgspec.Struct, frozen=True):
    """One message of the prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One question to a model."""

    messages: Sequence[ChatMessage]
    schema: Mapping[str, Any] | None = None
    """JSON Schema the answer must have; None for free text."""
    schema_name: str = "answer"
    max_output_tokens: int = 2048
    temperature: float = 0.0
    timeout_seconds: float = 60.0
    """How long the model may take, once it is this call's turn."""
    longest_wait_seconds: float = 60.0
    """How long the call may wait for its turn under a limit before that; infinite: as long as it takes."""
    about: bytes | None = None
    """Key of the conversation it is asked about, to whose trace the call belongs. None: none, or several."""
    logprobs: bool = False
    """Ask for the probability of each token of the answer, where the server gives it."""
    lane: Literal["now", "batch"] = "now"
    """`batch`: the answer may take a day and is to cost less; asked again with the same key until it is there."""
    key: bytes | None = None
    """Made by whoever asks, 16 to 32 bytes: equal for equal questions, and for those alone. None: never batched."""
    mark: str = ""
    """What the answer has to repeat, if anything; opaque, and not part of the key."""


class TokenLogprob(msgspec.Struct, frozen=True):
    """One token of an answer, and how likely the model held it to be, given all that stood before."""

    token: str
    """Its text as the server writes it; a part of a character is written in ways that differ."""
    logprob: float
    """Natural logarithm of its probability: at most 0, at least -9999, which stands for anything less."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with the same of theirs, at most 20; mostly the token itself is among them."""


class ChatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the model said, and what it took."""

    text: str
    model: str
    """As the provider names the model that served."""
    input_tokens: int | None = None
    """All of them, those from and for the server's cache included."""
    cached_input_tokens: int | None = None
    """Those of the input that the server had in its cache, at a lower price."""
    cache_written_tokens: int | None = None
    """Those of the input that the server put into its cache, at a higher price with some."""
    output_tokens: int | None = None
    finish_reason: str | None = None
    requests: int = 1
    """Sent until this answer came, retries and other deployments included."""
    deployment: str | None = None
    """Which one answered, by its name in the settings; filled in by `gateway.router`."""
    provider: str | None = None
    """Who serves there, as in `provider:model`; filled in by `gateway.router`."""
    seconds: float | None = None
    """From the question to the answer, without the wait for a turn; None: not measured."""
    token_logprobs: tuple[TokenLogprob, ...] | None = None
    """The first tokens of the answer, at most 4,096; None: not asked for, not given, or not to be believed."""
    cost_dollars: float | None = None
    """Filled in by `gateway.priced`. None: not known, which is not 0."""
    mark: str | None = None
    """Of the request that was really answered, where that was an earlier one with the same key; else None."""


class ChatModel(Protocol):
    """A configured model.

    A provider's class may say in `address_variable` and `key_variable` which names of the environment hold its address
    and its key, so that a deployment of it can have others.
    """

    name: str
    """`provider:model`, or a pool's name, as configured."""
    context_tokens: int
    """How many tokens prompt and answer may take together."""
    base_url: str | None
    """The server that is asked, since who serves there makes the price. None: there is none, or it says nothing."""

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        """Build a client for `model`, reading keys and addresses by the names the provider's own users know.

        Raises:
            ConfigError: the key or address is missing or malformed.
        """
        ...

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """Ask once; what is worth another try is tried again by `gateway.router`.

        Raises:
            ModelUnavailable: it timed out, throttled us or is down.
            ModelBusy: it is not this call's turn for longer than it may wait.
            AnswerPending: it was asked in a batch, which has not been answered yet.
            NotAdmitted: the provider takes nothing from us here.
            ModelRefused: the provider rejected the request.
            UnreadableVerdict: what came back is no answer of a chat model.
        """
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
