"""Does the report say what was measured, from how many, and what was not?"""

from __future__ import annotations

import io
import re
from typing import cast

import msgspec
import pytest
from rich.console import Console

from healing_eval.cli.report import Facts, hints_for, one_line, print_report
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, Issue, Verdict
from healing_eval.panel import Panel
from healing_eval.pipeline.summary import Bounds, Summary
from healing_eval.ports.chat_model import ChatModel


def shown(summary: Summary, facts: Facts | None = None, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False, emoji=False, force_terminal=True)
    print_report(summary, facts or Facts(), console)
    return out.getvalue()


def plainly(summary: Summary, facts: Facts | None = None, width: int = 100) -> str:
    out = io.StringIO()
    print_report(summary, facts or Facts(), Console(file=out, width=width, markup=False, emoji=False))
    return out.getvalue()


def a_summary(conversation_id: str = "c-1", description: str = "went round", agent_version: str = "v1") -> Summary:
    summary = Summary()
    found = Issue("loop", "error", description, "loop#1234", turn_id="m3", evidence=description)
    failing = Evaluation(b"k", "toy", "1", Findings(0.3, issues=(found,)))
    abstaining = Evaluation(b"k", "judge", "1", Abstention("not measured: no model configured"))
    summary.add(conversation_id, agent_version, Verdict(0.3, "fail"), [failing, abstaining])
    for n in range(9):
        fine = Evaluation(b"k", "toy", "1", Findings(0.9 + n / 100))
        summary.add(f"ok-{n}", "v2", Verdict(0.9 + n / 100, "pass"), [fine, abstaining])
    return summary


def test_the_headline_carries_counts_and_uncertainty() -> None:
    text = plainly(a_summary())

    assert "10 conversations evaluated" in text
    assert "9 pass  1 fail  0 unknown" in text
    assert "90.0 % (59.6–98.2), 95 % interval, of 10 decided" in text


def test_versions_worst_conversations_and_issues_are_listed() -> None:
    text = plainly(a_summary())

    assert "c-1" in text
    assert "m3" in text
    assert "loop" in text
    assert "went round" in text
    assert "#1234" in text
    assert "v1" in text
    assert "v2" in text


def test_what_was_not_measured_comes_with_the_way_to_change_it() -> None:
    text = plainly(a_summary(), Facts(hints={"judge": "set HEALING_EVAL_JUDGE__MODEL"}))

    assert "10 × not measured: no model configured" in text
    assert "→ set HEALING_EVAL_JUDGE__MODEL" in text


def test_failures_are_told_by_kind_with_the_first_one() -> None:
    summary = Summary()
    summary.add("c", "v", Verdict(None, "unknown"), [Evaluation(b"k", "toy", "1", Failure("it broke", "ValueError"))])

    text = plainly(summary)

    assert "1 × failed: ValueError" in text
    assert "first failure: it broke" in text
    assert "pass share" not in text.split("agent version")[0]


def test_what_is_in_no_number_is_said() -> None:
    summary = a_summary()
    summary.add_unevaluable()
    facts = Facts(duplicates=2, revised=3, refused=4, repeats_are_lower_bounds=True, interrupted=True)

    text = plainly(summary, facts)

    assert "1 without an assistant turn, not scored" in text
    assert "2 repeated unchanged, left out" in text
    assert "3 came again with other content" in text
    assert "4 not readable" in text
    assert "among the latest conversations only" in text
    assert "before the interruption" in text
    assert "4 not readable" in one_line(summary, facts)


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_hostile_text_is_shown_and_never_obeyed(width: int) -> None:
    hostile = "[bold red]x[/] :smile: \x1b[2J\x1b]0;owned\x07\u202e\n\nevil"

    text = shown(a_summary(hostile, hostile, hostile), width=width)

    assert "\x1b[2J" not in text
    assert "\x1b]" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    if width >= 100:
        assert "[bold red]x[/]" in text
        assert ":smile:" in text


def test_an_empty_run_is_reported_without_a_single_number_made_up() -> None:
    text = plainly(Summary())

    assert "0 conversations evaluated" in text
    assert "%" not in text


def test_versions_beyond_those_shown_are_counted() -> None:
    summary = Summary(Bounds(agent_versions=20))
    for n in range(30):
        summary.add("c", f"v{n}", Verdict(0.9, "pass"), [])

    text = plainly(summary)

    assert "further versions" in text
    assert "and 5 smaller versions" in text


def test_only_evaluators_that_need_a_missing_model_get_a_hint(toy_panel: Panel) -> None:
    assert hints_for(toy_panel) == {}

    toy_panel.evaluators[0].needs = frozenset({"model"})

    assert "HEALING_EVAL_JUDGE__MODEL" in hints_for(toy_panel)["toy"]
    assert hints_for(msgspec.structs.replace(toy_panel, models={"toy": (cast("ChatModel", object()),)})) == {}


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_report_still_says_from_how_many(width: int) -> None:
    summary = a_summary(agent_version="travel-agent-2.4.0-canary")
    for n in range(12_345):
        summary.add(f"more-{n}", "v2", Verdict(0.9, "pass"), [])

    text = plainly(summary, width=width)

    assert re.search(r"^ v2 +12,354 ", text, re.MULTILINE)
    assert re.search(r"^ .* n  (pass|share)", text, re.MULTILINE)
    assert all(len(line) <= width for line in text.splitlines())


def test_the_parts_of_the_line_for_machines_are_told_apart() -> None:
    assert one_line(a_summary(), Facts(refused=4)) == (
        "10 conversations evaluated: 9 pass, 1 fail, 0 unknown; 4 not readable, named on standard error; "
        "judge measured nothing: a pass says only that the others found nothing grave"
    )
