from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.backends.sql.tables import evaluations, revisions
from healing_eval.domain.conversation import conversation_key
from healing_eval.domain.revision import RevisionKey
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation
from healing_eval.testing.contract_ledger import LANES, close

ADDER = """
import asyncio, sys
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.testing.builders import a_conversation, a_submission
async def main():
    ledger = SqliteLedger.from_url(sys.argv[1])
    await ledger.open()
    for number in range(10**6):
        await ledger.add([a_submission(a_conversation(f"c-{number}"))], ["checks"])
        sys.stdout.write(f"c-{number}\\n")
        sys.stdout.flush()
asyncio.run(main())
"""


async def test_whatever_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", ADDER, url, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    first = [await child.stdout.readline() for _ in range(20)]
    os.kill(child.pid, signal.SIGKILL)
    rest = (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    acknowledged = [line.decode().strip() for line in [*first, *rest] if line.endswith(b"\n")]

    ledger = SqliteLedger.from_url(url)
    await ledger.open()
    lost = [name for name in acknowledged if await ledger.find("default", name) is None]
    stored = await ledger.load([RevisionKey(conversation_key("default", name), 1) for name in acknowledged])
    await ledger.close()

    assert len(acknowledged) >= 20
    assert lost == []
    assert [one.conversation_id for one in stored] == acknowledged


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 4), st.booleans()),
        st.tuples(st.just("close"), st.integers(1, 4), st.sampled_from(LANES)),
        st.tuples(st.just("fail"), st.integers(1, 4), st.sampled_from(LANES)),
    ),
    min_size=4,
    max_size=24,
)


@settings(max_examples=20, deadline=None)
@given(STEPS)
def test_no_order_of_events_stores_an_evaluator_twice_for_a_revision(steps: list[tuple[str, int, str | bool]]) -> None:
    with TemporaryDirectory() as folder:
        counts, settled = asyncio.run(_run(f"sqlite:///{folder}/store.db", steps))

    assert all(count == 1 for count in counts)
    assert settled


async def _run(url: str, steps: list[tuple[str, int, str | bool]]) -> tuple[list[int], bool]:
    """Take the steps four at a time, side by side; count evaluations by revision and evaluator."""
    ledger = SqliteLedger.from_url(url)
    await ledger.open()
    for start in range(0, len(steps), 4):
        await asyncio.gather(*(_step(ledger, *step) for step in steps[start : start + 4]))
    table = evaluations.c
    async with ledger._database.read() as connection:
        counted = select(func.count()).select_from(evaluations)
        grouped = counted.group_by(table.conversation_key, table.revision, table.evaluator, table.version)
        counts = list((await connection.execute(grouped)).scalars())
    head = await ledger.find("default", "c-1")
    settled = head is None or (head.status in ("done", "failed", "unevaluable")) == (head.outstanding == ())
    await ledger.close()
    return counts, settled


async def _step(ledger: SqliteLedger, what: str, number: int, argument: str | bool) -> None:
    key = RevisionKey(conversation_key("default", "c-1"), number)
    if isinstance(argument, bool):
        await ledger.add([a_submission(a_conversation(turns=number, complete=argument))], LANES)
    elif what == "close":
        await close(ledger, argument, key, an_evaluation(key.conversation_key, f"of-{argument}"))
    else:
        await ledger.fail([key], argument, "no")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2024, 5, 31, 23, 59, 0, 7, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_a_revision_stores_only_its_new_turns_within_a_month(tmp_path: Path) -> None:
    clock = Clock()
    ledger = SqliteLedger(f"sqlite:///{tmp_path}/store.db", clock)
    await ledger.open()
    sent = [a_submission(a_conversation(turns=count)) for count in range(2, 24)]

    for one in sent[:20]:
        await ledger.add([one], LANES)
    clock.now += timedelta(minutes=2)
    await ledger.add([sent[20]], LANES)
    clock.now -= timedelta(hours=1)  # somebody sets the clock back
    await ledger.add([sent[21]], LANES)

    async with ledger._database.read() as connection:
        rows = (await connection.execute(select(revisions).order_by(revisions.c.revision))).all()
    bodies = await ledger.load([RevisionKey(sent[0].key, row.revision) for row in rows])
    await ledger.close()
    assert [row.revision for row in rows if row.base_revision is None] == [1, 17, 21]
    assert [row.base_turn_count for row in rows[1:4]] == [2, 3, 4]
    assert len(rows[15].body) < len(rows[16].body) / 4
    assert [one.body for one in bodies] == [one.body for one in sent]
    assert rows[-1].accepted_at == rows[-2].accepted_at


async def test_a_revisions_rows_all_carry_the_time_it_was_accepted(tmp_path: Path) -> None:
    clock = Clock()
    ledger = SqliteLedger(f"sqlite:///{tmp_path}/store.db", clock)
    await ledger.open()
    accepted_at = clock.now
    key = (await ledger.add([a_submission()], LANES))[0].revision_key
    clock.now += timedelta(days=40)

    await close(ledger, "checks", key, an_evaluation(key.conversation_key))

    async with ledger._database.read() as connection:
        stored = [list((await connection.execute(select(t.c.accepted_at))).scalars()) for t in (revisions, evaluations)]
    await ledger.close()
    assert stored == [[accepted_at], [accepted_at]]
