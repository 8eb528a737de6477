"""Is a call found that the user's own words spell out and the agent did not make?"""

import pytest

from healing_eval.domain.conversation import ToolDefinition
from healing_eval.evaluators.tool_call.unmade import asks_by_name, check_unmade

TOOLS = (ToolDefinition("tide_table"), ToolDefinition("moonPhase"), ToolDefinition("forecast"))


@pytest.mark.parametrize("said", ["Run tide_table.", "Use `tide.table`, then stop", "please call moonPhase"])
def test_a_tool_that_the_user_named_and_nobody_called_is_reported(context, call, kinds, said):
    asked = context(f"u {said}", ("", call("forecast")), "a Done.", tools=TOOLS)

    issues = list(check_unmade(asked))

    assert kinds(issues) == ["unmade_call"]
    assert asks_by_name(asked.conversation)


@pytest.mark.parametrize(
    "said",
    ["Give me the forecast.", "Do not run tide_table.", "Run tide_tables.", "Run it without moonPhase", "a.b", "_._"],
)
def test_common_words_refusals_and_other_names_ask_for_nothing(context, said):
    asked = context(f"u {said}", "a Done.", tools=TOOLS)

    issues = list(check_unmade(asked))

    assert issues == []
    assert not asks_by_name(asked.conversation)


def test_a_tool_that_was_called_later_is_not_missed(context, call):
    asked = context("u Run tide_table.", "a Where?", "u In Kiel.", ("", call("tide_table", at="Kiel")), tools=TOOLS)

    issues = list(check_unmade(asked))

    assert issues == []


def test_without_definitions_nobody_knows_what_else_could_have_been_called(context, call):
    said = "u Run tide_table for 4 minutes, and then for 9 minutes"
    asked = context(said, ("", call("forecast", minutes=4)), "a Done.")

    issues = list(check_unmade(asked))

    assert issues == []


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("How far do I swim in 4 minutes, and then in 9 minutes?", {"minutes": 4}),
        ("Price 2 crates of 30 kg and another of 45 kg", {"weight": 30}),
        ("Split it for x = 3 and for x = 8", {"x": 3}),
        ("Convert $1.5 million and $20,000", {"amount": 1500000}),
        ("Convert a cost of 700 and a cost of 900", {"amount": 700.0}),
    ],
)
def test_a_quantity_of_a_kind_that_another_call_took_up_was_left_out(context, call, kinds, said, arguments):
    asked = context(f"u {said}", ("", call("forecast", **arguments)), tools=TOOLS)

    issues = list(check_unmade(asked))

    assert kinds(issues) == ["unmade_call"]


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("How far do I swim in 4 minutes, and then in 9 minutes?", {"minutes": [4, 9]}),
        ("Change it from 3 nights to 5 nights", {"nights": 5}),
        ("A room under 90 euros, not 120 euros", {"price": 90}),
        ("In 4 minutes I swim 200 m", {"minutes": 4}),
        ("4 minutes", {"minutes": 4}),
        ("A crate of 30 kg or 45 kg", {"weight": 30}),
        ("A start of 5 m/s and a fall of 9 s", {"speed": 5}),
        ("Rates of 4 % and of 9 %", {"first": 0.04, "second": 0.09, "years": 4}),
        ("How far in 4 minutes and in 9 minutes?", {"minutes": "4"}),
        ("How far in 4 minutes and in 9 minutes?", {"minutes": True}),
    ],
)
def test_bounds_choices_and_other_kinds_are_not_left_out(context, call, said, arguments):
    asked = context(f"u {said}", ("", call("forecast", **arguments)), tools=TOOLS)

    issues = list(check_unmade(asked))

    assert issues == []


def test_what_the_agent_came_back_to_in_words_is_not_left_out(context, call):
    told = context(
        "u How far in 4 minutes and in 9 minutes?",
        ("", call("forecast", minutes=4)),
        "a 9 minutes: 450 m.",
        tools=TOOLS,
    )

    issues = list(check_unmade(told))

    assert issues == []


def test_a_call_before_any_word_of_the_user_left_nothing_out(context, call):
    greeted = context(("", call("forecast", minutes=4)), "u For 4 minutes and for 9 minutes", tools=TOOLS)

    issues = list(check_unmade(greeted))

    assert issues == []
