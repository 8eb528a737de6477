"""Is a value found that has the right type and is not what the definition asks for in words?"""

import pytest

from healing_eval.domain.conversation import ToolDefinition
from healing_eval.evaluators.tool_call.described import check_described


def called(context, call, value, said="u Hello", name="given", required=True, **schema):
    parameters = {"type": "object", "properties": {name: schema}, "required": [name] if required else []}
    return context(said, ("", call("tool", **{name: value})), tools=(ToolDefinition("tool", parameters=parameters),))


def details(context):
    return [one.signature for one in check_described(context)]


@pytest.mark.parametrize("value", ["", "  ", [], {}])
def test_a_required_argument_that_holds_nothing_is_ill_formed(context, call, kinds, value):
    empty = called(context, call, value)

    issues = check_described(empty)

    assert kinds(issues) == ["ill_formed_argument"]


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("", {"required": False}),
        ("", {"description": "Leave blank for all."}),
        ([], {"description": "May be empty."}),
        ("", {"enum": ["", "x"]}),
        ("", {"default": ""}),
        ("", {"name": "message"}),
        (0, {}),
        (False, {}),
    ],
)
def test_nothing_may_be_given_where_it_is_offered_optional_or_the_agents_to_word(context, call, kinds, value, schema):
    empty = called(context, call, value, **schema)

    issues = check_described(empty)

    assert kinds(issues) == []


@pytest.mark.parametrize("value", ["<user id>", "{{city}}", "${TOKEN}", "your_name", "AMOUNT_HERE", "None", "string"])
def test_a_filler_in_the_place_of_a_required_value_is_ill_formed(context, call, kinds, value):
    filled = called(context, call, value)

    issues = check_described(filled)

    assert kinds(issues) == ["ill_formed_argument"]


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("none", {"required": False}),
        ("none", {"description": "The insurance: basic or none."}),
        ("none", {"enum": ["none", "basic"]}),
        ("a string quartet", {}),
        ("your order has shipped", {}),
        ("<" + "x" * 100 + ">", {}),
    ],
)
def test_words_that_only_look_like_a_filler_are_left_alone(context, call, kinds, value, schema):
    filled = called(context, call, value, **schema)

    issues = check_described(filled)

    assert kinds(issues) == []


@pytest.mark.parametrize(
    ("value", "description", "expected"),
    [
        ("1 May 2031", "The day, in the form YYYY-MM-DD.", ["ill_formed_argument"]),
        ("2031-05-01", "The day (MM/DD/YYYY)", ["ill_formed_argument"]),
        ("2031-05-01", "The day, in the form YYYY-MM-DD.", []),
        ("today", "YYYY-MM-DD or a word", []),
        ("1 May 2031", "YYYY-MM-DD, DD-MM-YYYY", []),
        ("1 May 2031", "YYYY-MM-DD HH:MM", []),
        ("1 May 2031", "The day.", []),
        ("1 May 2031", {"odd": True}, []),
    ],
)
def test_a_date_must_have_the_one_form_that_its_description_spells_out(
    context, call, kinds, value, description, expected
):
    dated = called(context, call, value, description=description)

    issues = check_described(dated)

    assert kinds(issues) == expected


@pytest.mark.parametrize(
    ("said", "value", "name", "schema", "expected"),
    [
        ("u I get 4 % a year", 4, "yield_rate", {"type": "number"}, ["ill_formed_argument"]),
        ("u I get 4.5 percent a year", 4.5, "gain", {"type": "float", "description": "The growth."}, 1),
        ("u I get 4 % a year", 0.04, "yield_rate", {"type": "number"}, []),
        ("u I get 4 % a year", 5, "yield_rate", {"type": "number"}, []),
        ("u I get 4 % a year", 4, "yield_rate", {"type": "integer"}, []),
        ("u I get 4 % a year", 4, "yield_rate", {"type": "number", "description": "In percent."}, []),
        ("u I get 4 % a year", 4, "yield_percent", {"type": "number"}, []),
        ("u I get 4 % in 4 rooms", 4, "rooms", {"type": "number"}, []),
    ],
)
def test_a_percentage_is_a_hundredth_unless_percent_is_asked_for(
    context, call, kinds, said, value, name, schema, expected
):
    told = called(context, call, value, said, name, **schema)

    issues = kinds(check_described(told))

    assert issues == (expected if isinstance(expected, list) else ["ill_formed_argument"])


def test_tools_without_a_definition_or_with_an_odd_one_are_passed_over(context, call):
    odd = ToolDefinition("odd", parameters={"properties": {"given": 3}})
    unknown = context("u Hello", ("", call("odd", given=""), call("none", given="")), tools=(odd,))

    issues = details(unknown)

    assert issues == []


@pytest.mark.parametrize(("error", "severity"), [(None, "warning"), ("no city", "error")])
def test_what_the_tool_took_all_the_same_is_only_a_warning(context, call, error, severity):
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = (ToolDefinition("tool", parameters=parameters),)
    asked = context("u Hello", ("", call("tool", error=error, city="")), tools=tools)

    (found,) = check_described(asked)

    assert found.severity == severity
