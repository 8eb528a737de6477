"""How long is it worth waiting for an answer, when somebody else could be asked instead?

As TCP does for its segments: from the mean and the deviation of those that came, doubled with each that did not.

Source:
    RFC 6298, with twice its bound, since what is given up here is paid for.
"""

from __future__ import annotations

LEAST_SECONDS = 5.0
FIRST_SECONDS = 20.0
"""Until the first answer has come."""
_GAIN, _DEVIATION_GAIN = 1 / 8, 1 / 4
_DEVIATIONS, _MARGIN = 4.0, 2.0


class Patience:
    """What the answers of one deployment have taken so far."""

    def __init__(self, *, least_seconds: float = LEAST_SECONDS, first_seconds: float = FIRST_SECONDS) -> None:
        """Set what it is never less than, and what it is before anything is known."""
        self._least_seconds = least_seconds
        self._first_seconds = first_seconds
        self._mean: float | None = None
        self._deviation = 0.0
        self._doubled = 0

    def seconds(self, at_most: float) -> float:
        """Say how long to wait for the next answer."""
        expected = self._first_seconds
        if self._mean is not None:
            expected = max(self._least_seconds, _MARGIN * (self._mean + _DEVIATIONS * self._deviation))
        return min(at_most, expected * 2**self._doubled)

    def learn(self, seconds: float) -> None:
        """Take note of what an answer took."""
        self._doubled = 0
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += _DEVIATION_GAIN * (abs(seconds - self._mean) - self._deviation)
        self._mean += _GAIN * (seconds - self._mean)

    def run_out(self) -> None:
        """Take note that none came in time."""
        self._doubled = min(self._doubled + 1, 10)
