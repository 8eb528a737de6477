"""Are this ledger's lists correct? They are when a subclass of `QueryContract` with a fixture `url` is green."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from healing_eval.domain.evaluation import Abstention, Evaluation
from healing_eval.domain.query import ConversationFilter, EvaluationQuery
from healing_eval.errors import InvalidInput
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.builders import PROJECT, a_conversation, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import LANES, OpenedLedger, close

PAST = datetime(2020, 1, 1, tzinfo=UTC)

Sort = Literal["evaluated_at", "-evaluated_at", "overall", "-overall"]

SCORES: dict[str, float | None] = {"a": 0.1, "b": 0.9, "c": None, "d": 0.5, "e": None, "f": 0.9}
"""What the conversations of `seed` are scored; `c` and `e` have no score."""


async def seed(ledger: Ledger) -> None:
    """Store six evaluated conversations, one that waits, and one of another project."""
    await ledger.add(
        [a_submission(a_conversation(name, agent_version="v2" if name in "de" else "v1")) for name in (*SCORES, "z")],
        LANES,
    )
    for name, overall in SCORES.items():
        head = await ledger.find(PROJECT, name)
        assert head is not None
        await close(ledger, "checks", head.revision_key, *_evaluations(name, overall))
    await ledger.add([a_submission(a_conversation("a"), project="another")], LANES)
    other = await ledger.find("another", "a")
    assert other is not None
    await close(ledger, "checks", other.revision_key, *_evaluations("a", 0.2))


def _evaluations(name: str, overall: float | None) -> list[Evaluation]:
    key = a_conversation(name).key
    issues = {
        "a": [an_issue("tool_failure"), an_issue("loop")],
        "d": [an_issue("poor_tone")],
        "f": [an_issue("poor_tone", severity="critical")],
    }.get(name, [])
    second = an_evaluation(key, "coherence", overall or 0.0) if name in "ab" else None
    if overall is None:
        return [an_evaluation(key, result=Abstention("no opinion"))]
    return [an_evaluation(key, overall=overall, issues=issues), *([second] if second else [])]


async def found(ledger: Ledger, **filters: Any) -> str:
    """Name the conversations that match, in order."""
    page = await ledger.query(PROJECT, EvaluationQuery(**filters))
    return "".join(one.head.conversation_id for one in page.items)


async def listed(ledger: Ledger, **filters: Any) -> str:
    """Name the conversations of a list, in order."""
    page = await ledger.list_heads(PROJECT, ConversationFilter(**filters))
    return "".join(one.conversation_id for one in page.items)


class QueryContract(OpenedLedger):
    """What every ledger must do with lists."""

    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({}, "abcdef"),
            ({"conversation_ids": ("b", "c", "nobody", "z")}, "bc"),
            ({"agent_versions": ("v2", "'; --")}, "de"),
            ({"evaluators": ("heuristic",)}, "abdf"),
            ({"evaluators": ("heuristic", "coherence")}, "ab"),
            ({"evaluators": ("nobody%",)}, ""),
            ({"min_overall": 0.5}, "bdf"),
            ({"max_overall": 0.5}, "ad"),
            ({"min_overall": 0.0, "max_overall": 1.0}, "abdf"),
            ({"outcome": ("fail", "unknown")}, "ace"),
            ({"outcome": ("pass",)}, "bdf"),
            ({"has_issues": True}, "adf"),
            ({"has_issues": False}, "bce"),
            ({"issue_types": ("loop", "poor_tone")}, "adf"),
            ({"min_severity": "error"}, "af"),
            ({"issue_types": ("poor_tone",), "min_severity": "warning"}, "f"),
            ({"evaluated_from": PAST}, "abcdef"),
            ({"evaluated_before": PAST}, ""),
            ({"agent_versions": ("v1",), "outcome": ("pass",), "has_issues": True}, "f"),
        ],
    )
    async def test_every_filter_is_applied(self, ledger: Ledger, filters: dict[str, Any], names: str) -> None:
        await seed(ledger)

        assert "".join(sorted(await found(ledger, **filters))) == names

    async def test_times_are_inclusive_below_and_exclusive_above(self, ledger: Ledger) -> None:
        await seed(ledger)
        now = datetime.now(UTC)

        head = await ledger.find(PROJECT, "c")

        assert head is not None
        at = head.accepted_at
        assert "c" in await listed(ledger, accepted_from=at)
        assert "c" not in await listed(ledger, accepted_before=at)
        assert await found(ledger, evaluated_from=now + timedelta(seconds=1)) == ""

    async def test_the_lists_are_sorted_and_what_has_no_score_comes_last(self, ledger: Ledger) -> None:
        await seed(ledger)

        assert await found(ledger, sort="evaluated_at") == "abcdef"
        assert await found(ledger, sort="-evaluated_at") == "fedcba"
        up, down = await found(ledger, sort="overall"), await found(ledger, sort="-overall")
        assert (up[:2], set(up[2:4]), set(up[4:])) == ("ad", {"b", "f"}, {"c", "e"})
        assert (set(down[:2]), down[2:4], set(down[4:])) == ({"b", "f"}, "da", {"c", "e"})

    @pytest.mark.parametrize("sort", ["evaluated_at", "-evaluated_at", "overall", "-overall"])
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 6])
    async def test_pages_follow_each_other_without_gap_or_repetition(
        self, ledger: Ledger, sort: Sort, limit: int
    ) -> None:
        await seed(ledger)
        whole = await found(ledger, sort=sort)

        pages, cursor = "", None
        while True:
            page = await ledger.query(PROJECT, EvaluationQuery(sort=sort, limit=limit, cursor=cursor))
            pages += "".join(one.head.conversation_id for one in page.items)
            cursor = page.next_cursor
            if cursor is None:
                break

        assert pages == whole

    async def test_heads_are_listed_newest_first_page_by_page(self, ledger: Ledger) -> None:
        for name in "abcde":
            await ledger.add([a_submission(a_conversation(name))], LANES)

        first = await ledger.list_heads(PROJECT, ConversationFilter(limit=3))
        second = await ledger.list_heads(PROJECT, ConversationFilter(limit=3, cursor=first.next_cursor))

        assert [one.conversation_id for one in (*first.items, *second.items)] == list("edcba")
        assert second.next_cursor is None

    @pytest.mark.parametrize(
        ("filters", "names"),
        [
            ({"status": ("pending",)}, "z"),
            ({"status": ("evaluating", "done")}, "abcdef"),
            ({"agent_versions": ("v2",)}, "de"),
        ],
    )
    async def test_every_filter_of_the_list_is_applied(
        self, ledger: Ledger, filters: dict[str, Any], names: str
    ) -> None:
        await seed(ledger)

        assert "".join(sorted(await listed(ledger, **filters))) == names

    async def test_a_match_holds_its_evaluations_with_their_issues(self, ledger: Ledger) -> None:
        await seed(ledger)

        (match,) = (await ledger.query(PROJECT, EvaluationQuery(conversation_ids=("a",)))).items

        assert match == await ledger.evaluated(match.head.revision_key.conversation_key)
        assert [one.evaluator for one in match.evaluations] == ["coherence", "heuristic"]

    async def test_a_match_holds_only_the_evaluations_asked_for(self, ledger: Ledger) -> None:
        await seed(ledger)

        page = await ledger.query(PROJECT, EvaluationQuery(conversation_ids=("a",), evaluators=("coherence",)))

        assert [one.evaluator for one in page.items[0].evaluations] == ["coherence"]

    async def test_only_the_latest_revision_is_found(self, ledger: Ledger) -> None:
        await seed(ledger)

        await ledger.add([a_submission(a_conversation("a", turns=4))], LANES)

        assert "a" not in await found(ledger)

    async def test_a_failed_conversation_is_found_as_unknown(self, ledger: Ledger) -> None:
        receipts = await ledger.add([a_submission(a_conversation("g"))], LANES)
        for lane in LANES:
            await ledger.fail([receipts[0].revision_key], lane, "no")

        assert await found(ledger, outcome=("unknown",)) == "g"
        assert await listed(ledger, status=("failed",)) == "g"

    @pytest.mark.parametrize("cursor", ["", "x", "AAAA", "'; DROP TABLE", "ä", "A" * 5000])
    async def test_what_is_no_cursor_is_refused(self, ledger: Ledger, cursor: str) -> None:
        with pytest.raises(InvalidInput) as of_query:
            await ledger.query(PROJECT, EvaluationQuery(cursor=cursor))
        with pytest.raises(InvalidInput) as of_list:
            await ledger.list_heads(PROJECT, ConversationFilter(cursor=cursor))

        assert of_query.value.pointer == of_list.value.pointer == "/cursor"

    async def test_a_cursor_is_good_for_its_own_order_only(self, ledger: Ledger) -> None:
        await seed(ledger)
        cursor = (await ledger.query(PROJECT, EvaluationQuery(limit=1, sort="overall"))).next_cursor

        with pytest.raises(InvalidInput) as refusal:
            await ledger.query(PROJECT, EvaluationQuery(cursor=cursor, sort="-overall"))

        assert refusal.value.pointer == "/cursor"

    @pytest.mark.parametrize("limit", [0, -1, 101])
    async def test_a_limit_out_of_range_is_refused(self, ledger: Ledger, limit: int) -> None:
        with pytest.raises(InvalidInput) as refusal:
            await ledger.query(PROJECT, EvaluationQuery(limit=limit))

        assert refusal.value.pointer == "/limit"
