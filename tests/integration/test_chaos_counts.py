"""Does what counts losses in `make chaos` see them?"""

from __future__ import annotations

import pytest
from bench.chaos.counts import EVALUATORS, count, count_open

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.domain.evaluation import Failure
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.ledger import LaneResult
from healing_eval.testing.builders import a_conversation, a_submission, an_evaluation
from healing_eval.testing.contract_ledger import mean_verdict
from healing_eval.testing.servers.postgresql import Postgresql

pytestmark = pytest.mark.services

LANE = "checks"


async def test_what_is_lost_stuck_or_there_twice_is_counted(postgresql: Postgresql, postgresql_url: str) -> None:
    database = postgresql_url.rpartition("/")[2]
    ledger = PostgresqlLedger.from_url(postgresql_url)
    await ledger.open()
    names = ("whole", "open", "half", "given up", "poison", "twice")
    keys = {name: await accept(ledger, name) for name in names}
    await close(ledger, keys["whole"], *EVALUATORS)
    await close(ledger, keys["twice"], *EVALUATORS)
    await close(ledger, keys["half"], *EVALUATORS[1:])
    await ledger.fail([keys["given up"], keys["poison"]], LANE, "tried too often")
    await ledger.close()
    again = "SELECT (jsonb_populate_record(e, jsonb_build_object('version', 'other'))).* FROM evaluations e"
    key = keys["twice"].conversation_key.hex()
    postgresql.sql(
        f"INSERT INTO evaluations {again} WHERE conversation_key = decode('{key}', 'hex') AND evaluator = 'judge'",
        database=database,
    )

    def rows_of(query: str) -> list[list[str]]:
        return [line.split("|") for line in postgresql.sql(query, database=database).splitlines()]

    counts = count(rows_of, [*names, "never stored"], given_up=["poison"])

    assert count_open(rows_of) == 1
    assert (counts.accepted, counts.lost, counts.stuck, counts.twice) == (7, 3, 1, 1)
    assert (counts.unjudged, counts.unrecorded) == (4, 0)


async def accept(ledger: PostgresqlLedger, name: str) -> RevisionKey:
    (receipt,) = await ledger.add([a_submission(a_conversation(name))], [LANE])
    return receipt.revision_key


async def close(ledger: PostgresqlLedger, key: RevisionKey, *evaluators: str) -> None:
    """Store what these said; the judge has failed."""
    failure = Failure(reason="no answer", kind="ModelUnavailable")
    evaluations = tuple(
        an_evaluation(key.conversation_key, name, result=failure if name == "judge" else None) for name in evaluators
    )
    await ledger.close_lane(LANE, [LaneResult(key, evaluations)], mean_verdict)
