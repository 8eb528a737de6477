from __future__ import annotations

import json

import pytest

from healing_eval.testing.redteam.attack import an_order
from healing_eval.testing.redteam.benign import BENIGN
from healing_eval.testing.redteam.corpus import attacks
from healing_eval.testing.redteam.places import HARMLESS, PLACES, QUOTED_TEXT, harmless, put
from healing_eval.testing.redteam.readers import order_in

CORPUS = tuple(attacks("salt"))


def test_there_are_hundreds_of_different_attacks_in_every_place() -> None:
    variants = {(attack.family, attack.variant) for attack in CORPUS}

    assert len(variants) >= 150
    assert len({attack.name for attack in CORPUS}) == len(CORPUS) == len({attack.text for attack in CORPUS})
    assert {attack.place for attack in CORPUS} == set(PLACES)


def test_a_clever_reader_finds_in_each_attack_its_own_order() -> None:
    unread = [attack.name for attack in CORPUS if order_in(attack.text) != attack.order.canary]

    assert unread == []


def test_no_honest_or_harmless_text_holds_an_order() -> None:
    assert [name for name, text in BENIGN.items() if order_in(text)] == []
    assert order_in(HARMLESS) is None


def test_another_run_has_other_canaries() -> None:
    assert an_order("direct/plain@user_turn", "one").canary != an_order("direct/plain@user_turn", "two").canary


@pytest.mark.parametrize("place", PLACES)
def test_each_place_takes_the_text_and_leaves_the_quoted_reply_alone(place: str) -> None:
    item = json.dumps(put("first second", place, "c-1"))

    assert "first second" in item or ('"first"' in item and '"second"' in item)
    assert QUOTED_TEXT in item


def test_the_harmless_text_beside_a_long_attack_is_as_long() -> None:
    assert len(harmless(50_000)) == 50_000
    assert len(harmless(10)) < 100
