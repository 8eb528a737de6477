"""What stands in a list or table that was written as text?"""

import pytest

from healing_eval.evaluators.tool_call.grounding.lists import written_items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("['Ada Moss', 'Li']", ["Ada Moss", "Li"]),
        ('[{"name": "weight", "value": 81.5}]', ["weight", "81.5"]),
        ("{'a' : '12', 'b': 345, 'c': 6}", ["12", "345"]),
        ("[]", []),
        ("['\"", []),
    ],
)
def test_its_texts_and_numbers_are_listed_without_the_names_of_fields(text, items):
    assert written_items(text) == items


def test_every_part_must_have_been_said(grounded):
    said = "with Ada Moss and Li Wu"

    assert grounded(said, attendees="['Ada Moss', 'Li Wu']") == [True]
    assert grounded(said, attendees="['Ada Moss', 'Otto Ray']") == [False]


def test_a_list_of_nothing_or_one_that_does_not_end_is_not_decided(grounded):
    assert grounded("hello", a="[]", b="['Otto Ray', 'Mi", c="[1, 2]") == []
