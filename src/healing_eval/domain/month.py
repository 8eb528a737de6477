"""Which month is it? What belongs to a revision is kept, archived and let go of by the month of its acceptance."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec


class Month(msgspec.Struct, frozen=True, order=True):
    """A month of UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: date | datetime) -> Month:
        """Tell in which month a moment is."""
        if isinstance(moment, datetime):
            moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @property
    def next(self) -> Month:
        """The month after this one."""
        return self.earlier(-1)

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it any more."""
        return self.next.begins

    def earlier(self, months: int) -> Month:
        """Go back by some months; there is none before the first of the calendar."""
        count = max(12, 12 * self.year + self.month - 1 - months)
        return Month(count // 12, count % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
