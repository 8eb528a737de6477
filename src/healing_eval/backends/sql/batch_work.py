"""How do questions wait for a batch, on any SQL database?

Whatever changes a question says in which state and batch it has to be, so that of two processes which do the same only
the first does anything. Everybody locks questions in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Interval,
    Select,
    Update,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from healing_eval.backends.sql.clock import Clock, moment
from healing_eval.backends.sql.engine import Database
from healing_eval.backends.sql.tables import batch_questions, batches
from healing_eval.ports.batch_work import (
    KEEP_BATCHES_SECONDS,
    KEEP_SECONDS,
    Asked,
    Batch,
    Rest,
    Standing,
    Waiting,
)

AT_ONCE = 500
"""How many questions one statement names; SQLite takes 32,766 values and PostgreSQL 32,767."""
SWEPT_AT_ONCE = 5000

_of = batch_questions.c
_batch = batches.c


class SqlBatchWork:
    """A `BatchWork` on SQLAlchemy Core, in tables of the store's schema, which somebody else has made."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        """Take a database, and what tells the time; None for one on a server, which does so itself."""
        self._database = database
        self._clock = clock

    async def ask(self, questions: Sequence[Asked]) -> Sequence[Standing]:
        found: dict[bytes, Standing] = {}
        for some in _pieces([one.key for one in questions]):
            async with self._database.look() as connection:
                rows = await connection.execute(_standing_of(some, self._now()))
                found |= {row.key: _standing(row) for row in rows}
        new = {one.key: one for one in questions if one.key not in found}
        for keys in _pieces(sorted(new)):
            async with self._database.write() as connection:
                adding = _insertion(connection).on_conflict_do_nothing(index_elements=[_of.key])
                now = {"asked_at": self._now()}
                await connection.execute(adding.values([_new(new[key]) | now for key in keys]))
        return [found.get(one.key) or Standing("waiting") for one in questions]

    async def waiting(self) -> Sequence[Waiting]:
        now, oldest = moment(self._now_or_none()), func.min(_of.asked_at)
        asked = select(_of.pool, func.count().label("questions"), oldest.label("oldest"), now.label("now"))
        async with self._database.look() as connection:
            rows = await connection.execute(asked.where(_of.state == "waiting").group_by(_of.pool).order_by(_of.pool))
            return [Waiting(row.pool, row.questions, _seconds(row.oldest, row.now)) for row in rows]

    async def bundle(
        self, pool: str, deployment: str, batch_id: str, *, most_questions: int, most_bytes: int
    ) -> Batch | None:
        longest = select(_of.key, _of.request_bytes).where(_of.state == "waiting", _of.pool == pool)
        longest = longest.order_by(_of.asked_at, _of.key).limit(most_questions).with_for_update(skip_locked=True)
        async with self._database.write() as connection:
            keys = list(_up_to(most_bytes, (await connection.execute(longest)).all()))
            if not keys:
                return None
            made = {"batch_id": batch_id, "pool": pool, "deployment": deployment, "questions": len(keys)}
            made |= {"created_at": self._now(), "cancelled": False}
            await connection.execute(insert(batches).values(made))
            taken = update(batch_questions).values(state="submitted", batch_id=batch_id)
            for some in _pieces(keys):
                await connection.execute(taken.where(_of.key.in_(some)))
            return _read((await connection.execute(self._listed().where(_batch.batch_id == batch_id))).one())

    async def questions_of(self, batch_id: str) -> Sequence[tuple[bytes, bytes]]:
        chosen = select(_of.key, _of.request).where(_of.batch_id == batch_id, _of.state == "submitted")
        async with self._database.patient() as connection:
            return [(row.key, row.request) for row in await connection.execute(chosen.order_by(_of.key))]

    async def handed_in(self, batch_id: str, provider_id: str) -> bool:
        is_free = or_(_batch.provider_id.is_(None), _batch.provider_id == provider_id)
        noted = update(batches).where(_batch.batch_id == batch_id, _batch.ended_at.is_(None), is_free)
        async with self._database.write() as connection:
            return (await connection.execute(noted.values(provider_id=provider_id))).rowcount == 1

    async def settle(
        self, batch_id: str, answers: Mapping[bytes, bytes], failed: Collection[bytes], *, most_failures: int
    ) -> None:
        async with self._database.write() as connection:
            await _lock(connection, batch_id, [*answers, *failed])
            if answers:
                answered = _in_batch(batch_id).where(_of.key == bindparam("the_key"))
                values = {"state": "answered", "request": None, "expires_at": self._in(KEEP_SECONDS)}
                rows = [{"the_key": key, "answer": answer} for key, answer in answers.items()]
                await connection.execute(answered.values(values), rows)
            for some in _pieces(list(failed)):
                await connection.execute(self._failing(batch_id, most_failures).where(_of.key.in_(some)))

    async def end(self, batch_id: str, rest: Rest, reason: str | None, *, most_failures: int) -> Batch | None:
        answered = select(func.count()).where(_of.batch_id == batch_id, _of.state == "answered")
        ended = update(batches).where(_batch.batch_id == batch_id, _batch.ended_at.is_(None))
        left = self._failing(batch_id, most_failures)
        if rest == "again":
            left = _in_batch(batch_id).values(state="waiting", batch_id=None)
        elif rest == "direct":
            left = _in_batch(batch_id).values(state="direct", batch_id=None, expires_at=self._in(KEEP_SECONDS))
        async with self._database.write() as connection:
            values = {"ended_at": self._now(), "reason": reason, "answered": answered.scalar_subquery()}
            if not (await connection.execute(ended.values(values))).rowcount:
                return None
            await _lock(connection, batch_id)
            await connection.execute(left)
            row = (await connection.execute(self._listed().where(_batch.batch_id == batch_id))).one()
            return _read(row)

    async def batches(self, *, ended: bool = False, limit: int = 1000) -> Sequence[Batch]:
        listed = self._listed().limit(limit)
        if ended:
            listed = listed.order_by(_batch.created_at.desc(), _batch.batch_id)
        else:
            listed = listed.where(_batch.ended_at.is_(None)).order_by(_batch.created_at, _batch.batch_id)
        async with self._database.look() as connection:
            return [_read(row) for row in await connection.execute(listed)]

    async def cancel(self, batch_id: str) -> bool:
        wanted = update(batches).where(_batch.batch_id == batch_id, _batch.ended_at.is_(None))
        async with self._database.write() as connection:
            return (await connection.execute(wanted.values(cancelled=True))).rowcount == 1

    async def sweep(self) -> None:
        now, kept_since = self._now(), self._in(-KEEP_BATCHES_SECONDS)
        over = select(_of.key).where(_of.expires_at <= now).order_by(_of.expires_at).limit(SWEPT_AT_ONCE)
        async with self._database.write() as connection:
            chosen = over.with_for_update(skip_locked=True)
            await connection.execute(delete(batch_questions).where(_of.key.in_(chosen)))
            await connection.execute(delete(batches).where(_batch.ended_at <= kept_since))

    async def close(self) -> None:
        await self._database.close()

    def _now_or_none(self) -> datetime | None:
        return None if self._clock is None else self._clock()

    def _now(self) -> Any:
        """The time, or the expression for the server's."""
        return moment(None) if self._clock is None else self._clock()

    def _in(self, seconds: float) -> Any:
        """The time in so many seconds, or the expression for it."""
        later = timedelta(seconds=seconds)
        return func.now() + literal(later, Interval) if self._clock is None else self._clock() + later

    def _failing(self, batch_id: str, most_failures: int) -> Update:
        is_last = _of.failures + 1 >= most_failures
        return _in_batch(batch_id).values(
            state=case((is_last, "direct"), else_="waiting"),
            batch_id=None,
            failures=_of.failures + 1,
            expires_at=case((is_last, _as_moment(self._in(KEEP_SECONDS))), else_=None),
        )

    def _listed(self) -> Select[*tuple[Any, ...]]:
        return select(batches, moment(self._now_or_none()).label("now"))


def _standing_of(keys: Sequence[bytes], now: Any) -> Select[*tuple[Any, ...]]:
    return select(_of.key, _of.state, _of.answer, _of.mark, _of.asked_at, _as_moment(now).label("now")).where(
        _of.key.in_(keys)
    )


def _as_moment(value: Any) -> Any:
    return moment(value) if isinstance(value, datetime) else value


def _standing(row: Any) -> Standing:
    return Standing(row.state, _seconds(row.asked_at, row.now), row.answer, row.mark)


def _insertion(connection: AsyncConnection) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(batch_questions)


def _new(asked: Asked) -> dict[str, Any]:
    return {
        "key": asked.key,
        "pool": asked.pool,
        "about": asked.about,
        "mark": asked.mark,
        "state": "waiting",
        "failures": 0,
        "request_bytes": len(asked.request),
        "request": asked.request,
    }


def _in_batch(batch_id: str) -> Update:
    return update(batch_questions).where(_of.batch_id == batch_id, _of.state == "submitted")


async def _lock(connection: AsyncConnection, batch_id: str, keys: Sequence[bytes] | None = None) -> None:
    """Lock questions of a batch in the order of their keys, so that nobody waits in a circle."""
    chosen = select(_of.key).where(_of.batch_id == batch_id, _of.state == "submitted").order_by(_of.key)
    if keys is None:
        await connection.execute(chosen.with_for_update())
        return
    for some in _pieces(sorted(keys)):
        await connection.execute(chosen.where(_of.key.in_(some)).with_for_update())


def _up_to(most_bytes: int, rows: Sequence[Any]) -> Iterator[bytes]:
    size = 0
    for row in rows:
        if size and size + row.request_bytes > most_bytes:
            return
        size += row.request_bytes
        yield row.key


def _read(row: Any) -> Batch:
    return Batch(
        batch_id=row.batch_id,
        pool=row.pool,
        deployment=row.deployment,
        provider_id=row.provider_id,
        questions=row.questions,
        created_at=row.created_at,
        age_seconds=_seconds(row.created_at, row.now),
        cancelled=row.cancelled,
        ended=row.ended_at is not None,
        answered=row.answered,
        reason=row.reason,
    )


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())


def _pieces(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + AT_ONCE] for start in range(0, len(keys), AT_ONCE))
