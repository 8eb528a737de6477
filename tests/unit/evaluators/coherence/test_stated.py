from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.context import Said
from healing_eval.evaluators.coherence.stated import stated_in
from healing_eval.testing.builders import a_turn


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I am a strict vegetarian", {"vegetarian"}),
        ("We keep kosher", {"kosher"}),
        ("my roommates is actually strictly also vegan", {"vegan"}),
        ("I only eat strictly halal", {"halal"}),
        ("I am halal", set[str]()),
        ("I eat vegetarians", set[str]()),
        ("they say kiwi am a vegan, Kiwi am vegan", set[str]()),
        ("I don't eat fish or meat", {"no fish", "no meat"}),
        ("I'm allergic to nuts and shellfish", {"no nuts", "no shellfish"}),
        ("My son has a severe peanut allergy", {"no peanut"}),
        ("without onions please", {"no onions"}),
        ("dairy-free please", {"dairy-free"}),
        ("no layovers", {"non-stop only"}),
        ("please don’t call me", {"do not call"}),
        ("no problem with that", set[str]()),
        ("I have no milk at home", set[str]()),
        ("I am not allergic to nuts", set[str]()),
        ("is it gluten-free?", set[str]()),
        ("I'm vegetarian but my wife wants the steak", set[str]()),
        ("I'm vegetarian, so no chicken", {"vegetarian", "no chicken"}),
        ("what do you have for vegetarians?", set[str]()),
        ("under 200 people", set[str]()),
        ("I arrive before noon", set[str]()),
    ],
)
def test_preferences_are_read_as_stated(text: str, names: set[str]) -> None:
    assert {one.name for one in stated_in(Said(0, a_turn(1, "user", text)))} == names
