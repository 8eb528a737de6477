"""Which values of a call need a ground?"""

from healing_eval.evaluators.tool_call.grounding.leaves import FREE_TEXT, leaves


def paths(parameters, properties=None):
    return [leaf.path for leaf in leaves(parameters, properties or {}, FREE_TEXT)]


def test_values_inside_tables_and_lists_are_listed_in_order():
    assert paths({"a": [{"b": "Bonn"}, "Lima"], "c": 77}) == [("a", 0, "b"), ("a", 1), ("c",)]


def test_members_of_an_enum_and_defaults_need_none():
    assert paths({"a": "x1", "b": 12}, {"a": {"enum": ["x1"]}, "b": {"default": 12}}) == []


def test_numbers_that_no_float_holds_need_none():
    assert paths({"a": 10**400, "b": 1e308}) == []


def test_at_most_five_hundred_are_listed():
    assert len(paths({"a": [f"v{n}" for n in range(2000)]})) < 500
