from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.row_claims import check

PLACES = [
    {"name": "Jing Jing", "address": "113 Arbol Drive", "distance": "6_miles", "open": "daily"},
    {"name": "Cafe Venetia", "address": "269 Alger Drive", "distance": "1_miles", "open": "weekdays"},
    {"name": "Starbucks", "address": "792 Bedoin Street", "distance": "4_miles", "open": "weekdays"},
]


@pytest.mark.parametrize(
    "reply",
    [
        "Jing Jing is at 269 Alger Drive.",
        "Starbucks is 3 miles away.",
        "Starbucks is located at 113 Arbol Drive.",
    ],
)
def test_a_claim_that_is_true_of_another_record_or_of_none_is_found(talk, lookup, reply: str) -> None:
    [found] = check(talk("u: Where?", f"a: {reply}", lookup(PLACES)))

    assert (found.type, found.turn_id) == ("tool_contradiction", 2)


@pytest.mark.parametrize(
    "reply",
    [
        "Jing Jing is at 113 arbol_drive, 6 miles away.",
        "Jing Jing is 6 miles and Starbucks is 4 miles away.",
        "Jing Jing is not at 269 Alger Drive.",
        "All are within 9 miles of Starbucks.",
        "There is nothing 3 miles away.",
        "Hello.",
    ],
)
def test_a_true_claim_a_list_or_a_negation_is_no_issue(talk, lookup, reply: str) -> None:
    assert list(check(talk("u: Where?", f"a: {reply}", lookup(PLACES)))) == []


def test_what_a_tool_returns_later_does_not_count_yet(talk, lookup) -> None:
    context = talk("u: Where?", "a: Jing Jing is at 269 Alger Drive.", "u: Sure?", "a: Let me see.", lookup(PLACES))

    assert list(check(context)) == []
