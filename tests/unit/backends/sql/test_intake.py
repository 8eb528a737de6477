from __future__ import annotations

from datetime import UTC, datetime, timedelta

from healing_eval.backends.sql.intake import CHAIN_LENGTH, Changes, Head, Known, plan
from healing_eval.domain.revision import Submission
from healing_eval.testing.builders import a_conversation, a_submission, a_turn

NOW = datetime(2026, 1, 10, tzinfo=UTC)
MASK = 3


class Store:
    """Plans one batch after the other, and keeps what a store would know; each batch is about one conversation."""

    def __init__(self) -> None:
        self.known: dict[bytes, Known] = {}

    def take(self, *submissions: Submission, now: datetime = NOW) -> Changes:
        changes = plan(submissions, self.known, MASK, now)
        for row in changes.new_heads:
            contents = {(one["content_hash"], one["complete"]): one["revision"] for one in changes.revisions}
            self.known[row["conversation_key"]] = Known(Head(**row), contents)
        return changes


def of(turns: int, *, complete: bool = True) -> Submission:
    return a_submission(a_conversation("c", turns, complete=complete))


def said(changes: Changes) -> list[tuple[str, int]]:
    return [(one.status, one.revision_key.revision) for one in changes.receipts]


def test_the_same_in_one_batch_is_stored_once() -> None:
    changes = Store().take(of(2), of(2), of(4))

    assert said(changes) == [("accepted", 1), ("duplicate", 1), ("revised", 2)]
    assert len(changes.revisions) == 2
    (head,) = changes.new_heads
    assert (head["revision"], head["outstanding"], head["status"]) == (2, MASK, "pending")


def test_a_late_retry_of_an_older_state_changes_nothing() -> None:
    store = Store()
    store.take(of(2))
    store.take(of(4))

    changes = store.take(of(2))

    assert said(changes) == [("duplicate", 1)]
    assert (changes.revisions, changes.new_heads, changes.changed_heads) == ([], [], [])


def test_content_that_is_now_complete_is_a_revision_and_not_the_other_way_round() -> None:
    store = Store()

    states = [store.take(of(2, complete=complete)) for complete in (False, True, False)]

    assert [said(one)[0] for one in states] == [("accepted", 1), ("revised", 2), ("duplicate", 2)]


def test_only_new_turns_are_stored_but_every_so_often_all_of_them() -> None:
    store = Store()
    bases = [store.take(of(2 * number)).revisions[0]["base_revision"] for number in range(1, CHAIN_LENGTH + 3)]

    assert bases[0] is None
    assert bases[1:CHAIN_LENGTH] == [1] * (CHAIN_LENGTH - 1)
    assert bases[CHAIN_LENGTH] is None
    assert bases[CHAIN_LENGTH + 1] == CHAIN_LENGTH + 1


def test_the_first_revision_of_a_month_and_a_changed_beginning_are_stored_whole() -> None:
    store = Store()
    store.take(of(2))
    next_month = store.take(of(4), now=NOW + timedelta(days=30))
    rewritten = a_submission(a_conversation("c", [a_turn(1, content="Changed."), *a_conversation("c", 6).turns[1:]]))
    changed = store.take(rewritten, now=NOW + timedelta(days=30))

    assert next_month.revisions[0]["base_revision"] is None
    assert changed.revisions[0]["base_revision"] is None


def test_a_clock_that_was_set_back_puts_nothing_before_what_it_builds_on() -> None:
    store = Store()
    store.take(of(2))

    later = store.take(of(4), now=NOW - timedelta(hours=1))

    assert later.revisions[0]["accepted_at"] == NOW


def test_without_an_assistant_turn_no_lane_is_outstanding() -> None:
    changes = Store().take(a_submission(a_conversation("c", [a_turn(1)])))

    assert [one.conversation_status for one in changes.receipts] == ["unevaluable"]
    assert changes.new_heads[0]["outstanding"] == 0
