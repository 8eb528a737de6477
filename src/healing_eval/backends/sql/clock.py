"""By whose clock is it said when something was accepted?

The clocks of hosts differ, and a server of a database has one for all of them: what is compared is told by that one. A
time therefore goes through this room as None for as long as it is the server's to tell, and the first statement of a
transaction, which is sent anyway, brings it back. A database within the process, and a test, bring a time of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, literal

from healing_eval.backends.sql.types import UtcTime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Tell the time, aware."""
    return datetime.now(UTC)


def moment(now: datetime | None) -> ColumnElement[datetime]:
    """Write a time as an expression: this one, or for None the server's at the beginning of the transaction."""
    return func.now(type_=UtcTime) if now is None else literal(now, UtcTime)
