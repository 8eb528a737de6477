"""How many conversations may wait for a model at once? As many as it answers without slowing down.

It begins low and doubles with every round of answers, for as long as all of it is in use and answers come about as fast
as they did, or so fast that it may well be us who take the time. A model that answers side by side is used to the full
within seconds, and one that answers one after the other is not flooded. When answers fail in a way that may pass, such
as 429, it is halved.
"""

from __future__ import annotations

import math

FIRST = 16
SLOWER = 2.0
"""Answers that take so many times as long as the fastest ones say that the model has enough to do."""
QUICK_SECONDS = 0.25
"""Answers as quick as this are none of a model that has too much to do: a busy process of ours takes so long by itself,
to ask and to hear the answer."""
_FORGETTING = 1.01
"""By how much the fastest time grows with each round of answers: a model may become slower for good."""


class Allowance:
    """The number of conversations that may be in hand."""

    def __init__(self, most: int, *, first: int = FIRST) -> None:
        """Begin with `first`, and never allow more than `most`."""
        self._most = most
        self._now = float(min(first, most))
        self._fastest = math.inf
        self._left_of_round = 0

    @property
    def now(self) -> int:
        """How many may be in hand now, at least 1."""
        return int(self._now)

    def answered(self, count: int, seconds: float, *, in_hand: int) -> None:
        """Take note that some were answered.

        Args:
            count: how many.
            seconds: how long they took.
            in_hand: how many were in hand, themselves included.
        """
        self._left_of_round -= count
        self._fastest = min(seconds, self._fastest * _FORGETTING ** (count / self._now))
        if 2 * in_hand >= self._now and seconds <= max(QUICK_SECONDS, SLOWER * self._fastest):
            self._now = min(float(self._most), self._now + count)

    def failed(self, count: int) -> None:
        """Take note that some could not be answered; what was asked at the same time fails together and counts once."""
        self._left_of_round -= count
        if self._left_of_round <= 0:
            self._left_of_round = self.now
            self._now = max(1.0, self._now / 2)
