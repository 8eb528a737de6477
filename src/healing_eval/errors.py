"""What can go wrong?

Errors are classed by what the reader should do. `retryable` answers the one question a worker has: again, or aside?

HealingEvalError
├── ConfigError
├── PluginError
├── InvalidInput
│   ├── NotJson
│   ├── InvalidParameter
│   └── LimitExceeded
├── AccessDenied
├── NotFound
├── BacklogFull
├── BackendError
└── ModelError
    ├── ModelUnavailable
    ├── ModelBusy
    │   └── AnswerPending
    ├── ModelRefused
    │   └── NotAdmitted
    └── UnreadableVerdict
"""

from __future__ import annotations

from typing import ClassVar


class HealingEvalError(Exception):
    """Base of every error this package raises on purpose."""

    retryable: ClassVar[bool] = False


class ConfigError(HealingEvalError):
    """The operator must change a setting."""


class PluginError(HealingEvalError):
    """A plug-in is missing, broken, or not what its entry point promises."""


class InvalidInput(HealingEvalError):
    """The sender must change what was sent.

    Attributes:
        pointer: JSON Pointer (RFC 6901) to the offending value, "" for the whole document.
        reason: what was wrong and what was expected, one sentence without a full stop.
    """

    def __init__(self, reason: str, *, pointer: str = "") -> None:
        super().__init__(f"{pointer}: {reason}" if pointer else reason)
        self.pointer = pointer
        self.reason = reason


class NotJson(InvalidInput):
    """What was sent is no JSON at all; JSON that is not what was expected is only invalid."""


class InvalidParameter(InvalidInput):
    """A parameter of the query string is not what was expected.

    Attributes:
        parameter: its name.
    """

    def __init__(self, reason: str, *, parameter: str) -> None:
        super().__init__(reason)
        self.parameter = parameter


class LimitExceeded(InvalidInput):
    """What was sent is larger than a limit in the settings allows; the reason names the limit."""


class AccessDenied(HealingEvalError):
    """The API key is missing, unknown, or lacks the scope.

    Attributes:
        authenticated: whether a valid key came with the request (403) or not (401).
    """

    def __init__(self, reason: str, *, authenticated: bool) -> None:
        super().__init__(reason)
        self.authenticated = authenticated


class NotFound(HealingEvalError):
    """Nothing is stored under this name."""


class BacklogFull(HealingEvalError):
    """More conversations wait for their evaluation than a setting allows; later there is room again."""

    retryable = True


class BackendError(HealingEvalError):
    """A database, stream or other server failed; the same request may succeed later."""

    retryable = True


class ModelError(HealingEvalError):
    """A language model gave no usable answer."""


class ModelUnavailable(ModelError):
    """The model timed out, throttled us, or is down.

    Attributes:
        requests: how many were sent to it before we gave up, at least 0.
        retry_after_seconds: when it wants to be asked again; None if it did not say.
        timed_out: whether it said nothing at all for as long as it could be waited for.
    """

    retryable = True

    def __init__(
        self,
        reason: str,
        *,
        requests: int = 1,
        retry_after_seconds: float | None = None,
        timed_out: bool = False,
    ) -> None:
        super().__init__(reason)
        self.requests = requests
        self.retry_after_seconds = retry_after_seconds
        self.timed_out = timed_out


class ModelBusy(ModelError):
    """Our own limits hold the call back for longer than it may wait; nothing was sent, and nothing has failed.

    Attributes:
        retry_after_seconds: when there is room again.
    """

    retryable = True

    def __init__(self, reason: str, *, retry_after_seconds: float) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class AnswerPending(ModelBusy):
    """The question was put into a batch, or waits for one; the answer will be there when it is asked again later."""


class ModelRefused(ModelError):
    """The provider rejected the request or the model declined to answer."""


class NotAdmitted(ModelRefused):
    """The provider takes nothing from us here: it knows neither this key, nor this model, nor this address.

    What was asked is not to blame, so that another deployment may answer it, and this one may once it is put right.

    Attributes:
        status: of the HTTP answer, such as 401; None if there was none.
    """

    retryable = True

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class UnreadableVerdict(ModelError):
    """The model answered, but not in the agreed shape.

    Attributes:
        raw_answer: what the model said, verbatim.
    """

    def __init__(self, reason: str, *, raw_answer: str) -> None:
        super().__init__(reason)
        self.raw_answer = raw_answer
