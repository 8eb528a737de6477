from __future__ import annotations

from healing_eval.evaluators.coherence.contradiction import check


def test_a_turn_with_two_contradictions_is_reported_once(talk, lookup) -> None:
    rows = [{"name": "Jing Jing", "street": "113 Arbol"}, {"name": "Cafe Venetia", "street": "269 Alger"}]
    reply = "a: Booked for 8 pm. Jing Jing is at 269 Alger."

    found = list(check(talk("u: Book it at 7 pm.", reply, lookup(rows))))

    assert [one.type for one in found] == ["user_contradiction"]
