"""Are the calls that were made matched with those that were expected?"""

from collections import Counter

from healing_eval.domain.conversation import ExpectedCall, ToolCall
from healing_eval.evaluators.tool_call.expected import check_expected


def issues(context, calls, expected):
    made = context("u Go", ("", *calls), "a Done.", expected_calls=tuple(expected))
    return [(one.type, one.argument) for one in check_expected(made)]


def wanted(**parameters):
    return ExpectedCall("look", parameters)


def made(**parameters):
    return ToolCall("look", parameters)


def test_case_and_punctuation_do_not_matter_and_types_do(context):
    assert (
        issues(context, [made(a="St. Gallen", b=[1.0, {"c": "X"}])], [wanted(a="st gallen", b=[1, {"c": "x"}])]) == []
    )
    assert issues(context, [made(a=True)], [wanted(a=1)]) == [("wrong_arguments", "/a")]
    assert issues(context, [made(a="1")], [wanted(a=1)]) == [("wrong_arguments", "/a")]
    assert issues(context, [made(a="+")], [wanted(a="-")]) == [("wrong_arguments", "/a")]


def test_the_argument_that_is_missing_or_too_much_is_named(context):
    assert issues(context, [made()], [wanted(a=1)]) == [("wrong_arguments", "/a")]
    assert issues(context, [made(a=1, b=2)], [wanted(a=1)]) == [("wrong_arguments", "/b")]


def test_an_exact_call_is_not_given_away_to_an_expectation_it_does_not_meet(context):
    assert issues(context, [made(a=1), made(a=2)], [wanted(a=3), wanted(a=1)]) == [("wrong_arguments", "/a")]


def test_an_expectation_with_very_many_combinations_is_compared_call_by_call(context):
    choices = {"any_of": list(range(40))}
    wide = wanted(a=choices, b=choices, c={"any_of": [1, None]})

    assert issues(context, [made(a=0, b=99), made(a=39, b=0)], [wide]) == [("unexpected_call", None)]
    assert issues(context, [made(a=0, b=99)], [wide]) == [("wrong_arguments", "/b")]


def test_each_call_meets_one_expectation_only(context):
    assert issues(context, [made(a=1)], [wanted(a=1)] * 2) == [("missing_call", None)]
    assert issues(context, [made(a=1)] * 2, [wanted(a=1)]) == [("unexpected_call", None)]


def test_20_000_calls_meet_20_000_expectations(context):
    numbers = range(20_000)

    assert issues(context, [made(a=n) for n in numbers], [wanted(a=n) for n in reversed(numbers)]) == []
    none = Counter(issues(context, [made(a=n) for n in numbers], [wanted(a=-1 - n) for n in numbers]))
    assert none == {("wrong_arguments", "/a"): 20_000}


def test_20_000_wide_expectations_are_bounded(context):
    choices = {"any_of": [f"x{n}" for n in range(20)]}
    wide = [wanted(a=choices, b=choices)] * 20_000

    assert len(issues(context, [made(a=1, b=1)] * 20_000, wide)) == 20_000
