"""What does the evaluator report, and what does it leave alone?"""

import msgspec
import pytest

from healing_eval.domain.conversation import Conversation, ExpectedCall, ToolCall, ToolDefinition, ToolResult, Turn
from healing_eval.domain.evaluation import Abstention, Findings
from healing_eval.errors import ConfigError
from healing_eval.evaluators.tool_call.evaluator import ToolCalls
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "date": {"type": "string", "format": "date"},
        "seats": {"type": "int"},
        "cabin": {"type": "string", "enum": ["Economy", "Business"]},
    },
    "required": ["city"],
}


def build(*calls, user="Book Bonn on March 7", reply="Done.", tools=True, **more):
    turns = (
        Turn("u", "user", user),
        Turn("a", "assistant", "", tool_calls=calls),
        Turn("r", "assistant", reply),
    )
    given = (ToolDefinition("book.trip", parameters=SCHEMA),) if tools else ()
    return Conversation(key=b"k", conversation_id="c", agent_version="v", turns=turns, tools=given, **more)


def call(result="ok", error=None, tool_name="book_trip", **parameters):
    return ToolCall(tool_name, parameters, ToolResult(result, error=error))


def judge(conversation, **options):
    findings = ToolCalls.create(EvaluatorSetup(options)).judge(conversation)
    assert isinstance(findings, Findings)
    return findings


def found(conversation, **options):
    return [(one.type, one.argument) for one in judge(conversation, **options).issues]


def test_it_is_an_evaluator():
    evaluator: Evaluator = ToolCalls.create(EvaluatorSetup())

    assert evaluator.inapplicable(build()) == "no tool calls"
    assert evaluator.inapplicable(build(expected_calls=())) is None


async def test_each_conversation_gets_one_evaluation():
    evaluator = ToolCalls.create(EvaluatorSetup())

    results = [one.result async for one in evaluator.evaluate([build(call(city="Bonn")), build()])]

    assert [type(one) for one in results] == [Findings, Abstention]


def test_a_right_call_has_no_issue():
    findings = judge(build(call(city="Bonn", date="2025-03-07", cabin="Economy")))

    assert findings.issues == ()
    assert findings.overall == 1.0


@pytest.mark.parametrize(
    ("parameters", "argument", "detail"),
    [
        ({"city": "Bonn", "date": "07/03/2025"}, "/date", "format"),
        ({"date": "2025-03-07"}, "/city", "required"),
        ({"city": "Bonn", "seats": "Bonn"}, "/seats", "type"),
        ({"city": "Bonn", "hotel": "Bonn"}, "/hotel", "undeclared"),
        ({"city": "Bonn", "cabin": "economy"}, "/cabin", "enum case"),
    ],
)
def test_each_breach_of_the_schema_is_located(parameters, argument, detail):
    (issue,) = [one for one in judge(build(call(**parameters))).issues if one.type == "schema_violation"]

    assert issue.argument == argument
    assert f":{detail}#" in issue.signature


def test_a_tool_that_was_not_given_is_unknown():
    assert found(build(call(tool_name="fly"))) == [("unknown_tool", None)]
    assert found(build(call(tool_name="fly"), tools=False)) == []


def test_an_unknown_tool_that_answered_says_that_the_definitions_are_incomplete():
    answered = judge(build(call(tool_name="fly"))).issues
    failed = judge(build(call(error="no such tool", tool_name="fly"), reply="I am sorry, that failed.")).issues

    assert [one.severity for one in answered if one.type == "unknown_tool"] == ["info"]
    assert [one.severity for one in failed if one.type == "unknown_tool"] == ["error"]


def test_arguments_that_are_no_object_are_malformed():
    assert found(build(ToolCall("book_trip", malformed_arguments="{"))) == [("malformed_arguments", None)]


def test_a_broken_schema_is_named_and_breaks_nothing():
    broken = (ToolDefinition("book_trip", parameters={"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}),)
    conversation = build(call(a="Bonn"), tools=False)

    findings = judge(msgspec.structs.replace(conversation, tools=broken))

    assert findings.issues == ()
    assert "schema unusable: book_trip" in findings.explanation
    assert "schema" not in {score.name for score in findings.scores}


def test_what_was_held_against_nothing_has_no_score():
    unheard = ToolCall("book_trip", {"confirmed": True})

    result = ToolCalls.create(EvaluatorSetup()).judge(build(unheard, tools=False))

    assert isinstance(result, Abstention)
    assert "no tool definitions" in result.reason


def test_a_made_up_value_is_graver_in_a_tool_that_writes():
    writing = judge(build(call(city="Lima"), tools=False)).issues
    reading = judge(build(call(city="Lima", tool_name="weather"), tools=False)).issues

    assert [one.severity for one in (*writing, *reading)] == ["error", "warning"]


def test_free_text_arguments_can_be_named():
    conversation = build(call(city="Lima"), tools=False)

    assert found(conversation, free_text_arguments=["city"]) == []


def test_the_same_call_with_the_same_answer_is_repeated():
    look = call(tool_name="weather", city="Bonn")

    assert found(build(look, look, tools=False)) == [("repeated_call", None)]
    assert found(build(look, call(city="Bonn"), look, tools=False)) == []


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Sorry, that failed.", []),
        ("Anything else?", ["unrecovered_error"]),
        ("Your trip has been booked.", ["result_contradicted"]),
    ],
)
def test_a_failed_call_must_be_owned_up_to(reply, expected):
    conversation = build(call(error="full", city="Bonn"), reply=reply)

    assert [one.type for one in judge(conversation).issues] == expected


def test_a_retry_that_works_makes_a_failure_good():
    assert found(build(call(error="busy", city="Bonn"), call(city="Bonn"))) == []


@pytest.mark.parametrize(
    ("expected", "issues"),
    [
        ((ExpectedCall("book.trip", {"city": {"any_of": ["bonn", "Köln"]}, "seats": {"any_of": [1, None]}}),), []),
        ((ExpectedCall("book.trip", {"city": "Köln"}),), ["wrong_arguments"]),
        ((ExpectedCall("fly"), ExpectedCall("book_trip", {"city": "Bonn"})), ["missing_call"]),
        ((), ["unexpected_call"]),
    ],
)
def test_expected_calls_are_compared_in_any_order(expected, issues):
    conversation = build(call(city="Bonn"), expected_calls=expected)

    assert [one.type for one in judge(conversation).issues] == issues


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(ConfigError, match="write_verb"):
        ToolCalls.create(EvaluatorSetup({"write_verb": []}))


def test_the_version_follows_the_options():
    plain, other = (ToolCalls.create(EvaluatorSetup(one)).version for one in ({}, {"write_verbs": ["zap"]}))

    assert plain != other


def test_values_of_a_huge_conversation_are_passed_over_and_it_says_so():
    calls = tuple(ToolCall("book.trip", {"ref": 10_000 + n}) for n in range(20_000))

    found = judge(build(*calls, user="word " * 20_000, tools=False))

    assert "values passed over" in found.explanation
