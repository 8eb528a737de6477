"""Can what this ledger lacks be found, opened again and stored in its place? It can when this suite is green."""

from __future__ import annotations

from datetime import timedelta

import pytest

from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, ModelUse, Result
from healing_eval.domain.revision import RevisionKey
from healing_eval.domain.unmeasured import OF_BUDGET, OF_NO_MODEL, Why
from healing_eval.ports.ledger import Gap, GapQuery, LaneResult, Ledger, MeanCost
from healing_eval.testing.builders import PROJECT, a_conversation, a_model_use, a_submission, an_evaluation, an_issue
from healing_eval.testing.contract_ledger import OpenedLedger, close, mean_verdict, status_of, waiting

EVERY_WHY: tuple[Why, ...] = ("budget", "failed", "no-model")
OVER_BUDGET = Abstention(f"{OF_BUDGET}daily is spent")
NO_MODEL = Abstention(f"{OF_NO_MODEL} configured")
BROKEN = Failure("no answer", "ModelUnavailable")


def of(evaluator: str = "judge", *why: Why, project: str = PROJECT, limit: int = 1000) -> GapQuery:
    """Ask for gaps of an evaluator, for all reasons unless some are named."""
    return GapQuery(project=project, evaluator=evaluator, why=why or EVERY_WHY, limit=limit)


async def gaps(ledger: Ledger, query: GapQuery) -> list[Gap]:
    """Find a page of gaps."""
    return list((await ledger.gaps(query)).items)


class BackfillContract(OpenedLedger):
    """What every ledger must do with what was not measured."""

    async def settle(self, ledger: Ledger, name: str, said: Result | None, evaluator: str = "judge") -> RevisionKey:
        """Add a conversation, have it checked, and close the other lane with what an evaluator said."""
        key = (await self.add(ledger, name)).revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key))
        await close(ledger, "judges", key, an_evaluation(key.conversation_key, evaluator, 0.4, result=said))
        return key

    async def test_what_was_not_measured_is_found_with_its_reason_oldest_first(self, ledger: Ledger) -> None:
        keys = [
            await self.settle(ledger, name, said) for name, said in (("a", OVER_BUDGET), ("b", BROKEN), ("c", NO_MODEL))
        ]
        await self.settle(ledger, "measured", None)
        await self.settle(ledger, "not for it", Abstention("no tool calls"))

        assert await gaps(ledger, of()) == [
            Gap(keys[0], "budget"),
            Gap(keys[1], "failed"),
            Gap(keys[2], "no-model"),
        ]
        assert await gaps(ledger, of("judge", "failed")) == [Gap(keys[1], "failed")]
        assert await gaps(ledger, of("judge", "budget", "no-model")) == [
            Gap(keys[0], "budget"),
            Gap(keys[2], "no-model"),
        ]
        assert await gaps(ledger, of("other")) == await gaps(ledger, of(project="other")) == []

    async def test_gaps_are_found_page_by_page_and_between_two_times(self, ledger: Ledger) -> None:
        keys = [await self.settle(ledger, f"c-{n}", OVER_BUDGET) for n in range(5)]
        found: list[RevisionKey] = []
        page = await ledger.gaps(of(limit=2))
        while page.next_cursor is not None:
            found += [one.revision_key for one in page.items]
            page = await ledger.gaps(
                GapQuery(project=PROJECT, evaluator="judge", why=EVERY_WHY, limit=2, cursor=page.next_cursor)
            )
        found += [one.revision_key for one in page.items]

        now = await ledger.now()
        later = GapQuery(project=PROJECT, evaluator="judge", why=EVERY_WHY, accepted_from=now + timedelta(minutes=5))
        earlier = GapQuery(
            project=PROJECT, evaluator="judge", why=EVERY_WHY, accepted_before=now - timedelta(minutes=5)
        )
        both = GapQuery(
            project=PROJECT,
            evaluator="judge",
            why=EVERY_WHY,
            accepted_from=now - timedelta(minutes=5),
            accepted_before=now + timedelta(minutes=5),
        )

        assert found == keys
        assert await gaps(ledger, later) == await gaps(ledger, earlier) == []
        assert len(await gaps(ledger, both)) == 5

    async def test_what_is_being_worked_on_or_was_revised_is_no_gap(self, ledger: Ledger) -> None:
        revised = await self.settle(ledger, "revised", OVER_BUDGET)
        await self.add(ledger, "revised", turns=4)
        opened = await self.settle(ledger, "opened", OVER_BUDGET)
        await ledger.open_again([opened], "judges")

        assert await gaps(ledger, of()) == []
        assert await ledger.open_again([revised, opened], "judges") == []

    async def test_what_is_opened_again_is_worked_on_and_stored_in_place_of_what_was_said(self, ledger: Ledger) -> None:
        key = await self.settle(ledger, "c-1", OVER_BUDGET)

        opened = await ledger.open_again([key], "judges")
        between = await status_of(ledger), await waiting(ledger, key), await ledger.evaluated(key.conversation_key)
        again = an_evaluation(key.conversation_key, "judge", 0.2, issues=[an_issue()])
        stored = await close(ledger, "judges", key, again)

        found = await ledger.evaluated(key.conversation_key)
        assert opened == [key]
        assert between[:2] == ("evaluating", ["judges"])
        assert between[2] is not None
        assert between[2].verdict is not None
        assert between[2].verdict.overall == 0.9
        assert stored
        assert found is not None
        assert found.verdict is not None
        assert (found.head.status, found.verdict.overall, found.verdict.final) == ("done", pytest.approx(0.55), True)
        assert [(one.evaluator, one.result) for one in found.evaluations] == [
            ("heuristic", an_evaluation(b"", overall=0.9).result),
            ("judge", again.result),
        ]
        assert await gaps(ledger, of()) == []

    async def test_results_of_a_lane_opened_again_are_stored_once(self, ledger: Ledger) -> None:
        key = await self.settle(ledger, "c-1", OVER_BUDGET)
        await ledger.open_again([key], "judges")

        first = await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge", 0.2))
        second = await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge", 0.8))

        found = await ledger.evaluated(key.conversation_key)
        assert (first, second) == (True, False)
        assert found is not None
        assert found.verdict is not None
        assert found.verdict.overall == pytest.approx(0.55)

    async def test_the_same_evaluation_again_takes_its_own_place_issues_included(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        kept = an_evaluation(key.conversation_key, "a", issues=[an_issue(), an_issue("schema_violation")])
        await close(ledger, "checks", key)
        before = an_evaluation(key.conversation_key, "b", result=OVER_BUDGET)
        await close(ledger, "judges", key, kept, before)
        await ledger.open_again([key], "judges")

        revisions = await ledger.load_outstanding([key], "judges")
        measured = await ledger.measured(revisions, ["a", "b"])
        await close(ledger, "judges", key, *measured[key], an_evaluation(key.conversation_key, "b", version="2"))

        found = await ledger.evaluated(key.conversation_key)
        assert [(one.evaluator, one.result) for one in measured[key]] == [("a", kept.result)]
        assert found is not None
        assert [(one.evaluator, one.version) for one in found.evaluations] == [("a", "1"), ("b", "2")]
        assert found.evaluations[0].result == kept.result
        assert found.evaluations[0].evaluated_at == measured[key][0].evaluated_at

    async def test_of_many_closed_together_only_what_was_said_before_makes_way(self, ledger: Ledger) -> None:
        again = await self.settle(ledger, "again", OVER_BUDGET)
        new = (await self.add(ledger, "new")).revision_key
        await close(ledger, "checks", new, an_evaluation(new.conversation_key, "judge", 0.7, version="other lane"))
        await close(ledger, "checks", (await self.add(ledger, "third")).revision_key)
        await ledger.open_again([again], "judges")

        results = [LaneResult(key, (said(key, 0.1),)) for key in (again, new)]
        stored = await ledger.close_lane("judges", results, mean_verdict)

        assert set(stored) == {again, new}
        for key in (again, new):
            found = await ledger.evaluated(key.conversation_key)
            assert found is not None
            assert [one.result for one in found.evaluations if one.evaluator == "judge"] == [said(key, 0.1).result]

    async def test_a_lane_that_it_never_was_on_can_be_opened(self, ledger: Ledger) -> None:
        key = (await ledger.add([a_submission(a_conversation("c"))], ["checks"]))[0].revision_key
        await close(ledger, "checks", key, an_evaluation(key.conversation_key, "judge", result=NO_MODEL))

        opened = await ledger.open_again([key], "a new lane")
        stored = await close(ledger, "a new lane", key, an_evaluation(key.conversation_key, "judge", version="2"))

        found = await ledger.evaluated(key.conversation_key)
        assert (opened, stored) == ([key], True)
        assert found is not None
        assert [one.version for one in found.evaluations] == ["2"]

    async def test_what_no_evaluator_can_look_at_is_not_opened(self, ledger: Ledger) -> None:
        key = (await self.add(ledger, turns=1)).revision_key

        assert await status_of(ledger) == "unevaluable"
        assert await ledger.open_again([key], "judges") == []
        assert await ledger.open_again([], "judges") == []

    async def test_what_another_lane_gave_up_stays_failed_with_the_reason(self, ledger: Ledger) -> None:
        key = (await self.add(ledger)).revision_key
        await ledger.fail([key], "checks", "it breaks us")
        await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge", result=OVER_BUDGET))

        await ledger.open_again([key], "judges")
        await close(ledger, "judges", key, an_evaluation(key.conversation_key, "judge"))

        head = await ledger.find(PROJECT, "c-1")
        assert head is not None
        assert (head.status, head.failed_because) == ("failed", "checks: it breaks us")

    async def test_the_mean_cost_is_of_what_has_a_known_cost(self, ledger: Ledger) -> None:
        before, remembered = await ledger.mean_cost(PROJECT, "judge"), ModelUse("m", calls=0, cost_dollars=0.0)
        for name, use in (("a", priced(0.1)), ("b", priced(0.3)), ("c", ModelUse("m")), ("d", None), ("e", remembered)):
            key = (await self.add(ledger, name)).revision_key
            evaluation = Evaluation(key.conversation_key, "judge", "1", BROKEN, model_use=use)
            await close(ledger, "judges", key, evaluation)

        found = await ledger.mean_cost(PROJECT, "judge")

        assert before == await ledger.mean_cost("other", "judge") == MeanCost(0, None)
        assert (found.evaluations, found.dollars) == (2, pytest.approx(0.2))


def said(key: RevisionKey, overall: float) -> Evaluation:
    """Make what the judge says."""
    return an_evaluation(key.conversation_key, "judge", overall)


def priced(dollars: float) -> ModelUse:
    """Make a use of a model that cost so much."""
    use = a_model_use()
    return ModelUse(use.model, use.input_tokens, use.output_tokens, cost_dollars=dollars)
