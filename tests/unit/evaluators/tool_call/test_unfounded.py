"""Is a call found that was made up as a whole, and one with a single unknown value left alone?"""

import pytest

from healing_eval.domain.conversation import ToolDefinition
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.unfounded import check_unfounded


def tool(name, description, *required, **properties):
    declared = {one: {"type": "string"} for one in required} | properties
    return ToolDefinition(name, description, {"type": "object", "properties": declared, "required": list(required)})


FERRY = tool("book_ferry", "Book a crossing.", "harbour", "sailing_date")
TAX = tool("estimate_tax", "Estimate what is owed to the state.", "income", "canton")
TICKET = tool("open_ticket", "Open a ticket.", "category", "priority")
POLICY = tool("quote_policy", "Quote a premium for an insurance.", "holder", "cover")


def unfounded(context):
    return list(check_unfounded(context, list(Grounding(context).check())))


@pytest.mark.parametrize(
    ("said", "definition", "arguments"),
    [
        ("Book me the ferry from Kiel please.", FERRY, {"harbour": "Kiel", "sailing_date": "2024-03-01"}),
        ("How do I get a ferry?", FERRY, {"harbour": "Pier 12", "sailing_date": "Thursday"}),
        ("What is the tallest tree in the world?", TAX, {"income": 120000, "canton": "world"}),
        ("How many strings has a cello?", POLICY, {"holder": "Maria Muster", "cover": "cello"}),
        ("How many strings has a cello?", POLICY, {"holder": 1200, "cover": 1}),
    ],
)
def test_a_call_whose_required_values_nobody_could_know_is_made_up(context, call, said, definition, arguments):
    made_up = context(f"u {said}", ("", call(definition.name, **arguments)), tools=(definition,))

    issues = unfounded(made_up)

    assert [one.type for one in issues] == ["unfounded_call"]
    assert issues[0].tool_name == definition.name


@pytest.mark.parametrize(
    ("said", "definition", "arguments"),
    [
        ("Book me the ferry from Kiel on 1 March, please.", FERRY, {"harbour": "Kiel", "sailing_date": "2031-03-02"}),
        ("Book me the ferry tomorrow, will you?", FERRY, {"harbour": "KIE", "sailing_date": "2024-03-01"}),
        ("What tax do I owe in the state?", TAX, {"income": 120000, "canton": "state"}),
        ("What tax do I owe with 3 jobs of 40000?", TAX, {"income": 95000, "canton": "VD"}),
        ("Somebody charged me twice, I want a ticket!", TICKET, {"category": "billing", "priority": "high"}),
        ("Which cover is there for gas pipes?", POLICY, {"holder": "gasoline", "cover": "pipes"}),
        ("How many strings has a cello?", POLICY, {}),
        ("Wie viele Saiten hat ein Cello?", POLICY, {"holder": "Maria Muster", "cover": "violins"}),
        ("What is 客户 in English?", POLICY, {"holder": "顾客", "cover": "保险"}),
    ],
)
def test_knowledge_codes_categories_and_a_single_unknown_value_are_left_alone(
    context, call, said, definition, arguments
):
    sound = context(f"u {said}", ("", call(definition.name, **arguments)), tools=(definition,))

    issues = unfounded(sound)

    assert issues == []


def test_a_tool_without_a_definition_tells_nothing(context, call):
    undefined = context("u What is the tallest tree?", ("", call("estimate_tax", income=120000, canton="Bern")))

    issues = unfounded(undefined)

    assert issues == []


def test_each_tool_is_reported_once_and_only_so_many_calls_are_looked_at(context, call):
    calls = [call("estimate_tax", income=10000 + number, canton="Bern") for number in range(100)]
    many = context("u What is the tallest tree?", ("", *calls), tools=(TAX,))

    issues = unfounded(many)

    assert len(issues) == 1


@pytest.mark.parametrize("required", [None, "income", [1, None], [{}]])
def test_a_schema_that_is_none_does_no_harm(context, call, required):
    odd = ToolDefinition("estimate_tax", parameters={"properties": {"income": 3}, "required": required})
    asked = context("u What is the tallest tree?", ("", call("estimate_tax", income=120000)), tools=(odd,))

    issues = unfounded(asked)

    assert issues == []


def test_lists_and_objects_count_by_what_they_hold(context, call):
    held = {"income": [120000, 130000], "canton": {"name": "Appenzell", "open": True, "of": None}}
    made_up = context("u What is the tallest tree?", ("", call("estimate_tax", **held)), tools=(TAX,))

    issues = unfounded(made_up)

    assert len(issues) == 1
