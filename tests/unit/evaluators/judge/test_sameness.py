"""Are conversations the same exactly where they differ in nothing but names?"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.evaluators.judge.sameness import form_of, with_names, without_names


def line(content: str, turn_id: object = 1, **more: object) -> str:
    return json.dumps({"turn_id": turn_id, "role": "user", "content": content, **more})


def same(one: list[str], other: list[str]) -> bool:
    return form_of(one).text == form_of(other).text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 2025-03-01T10:02:33Z", "at 2026-11-27 23:59+02:00"),
        ("see 6f1ed002-ab51-4b1f-9d2c-111122223333", "see 00000000-0000-0000-0000-00000000abcd"),
        ("hash deadbeef0123", "hash 0123456789ab"),
        ("booking BK-12345", "booking BK-99"[:8] + "BK-98765"),
        ("order #ORD2024001", "order #ORD2024999"),
        ("ref 48213, thanks", "ref 90001, thanks"),
        ("line\nref 48213", "line\nref 90001"),
        ("Zürich, ref 48213", "Zürich, ref 90001"),
    ],
)
def test_names_that_do_not_matter_make_no_difference(one: str, other: str) -> None:
    assert same([line(one)], [line(other)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it costs $12345", "it costs $99999"),
        ("it costs 12345.50", "it costs 99999.50"),
        ("it costs USD 120", "it costs USD 150"),
        ("it costs EUR12000", "it costs EUR99000"),
        ("on 2025-03-01", "on 2025-03-02"),
        ("a table for 4", "a table for 5"),
        ("gate 7", "gate 8"),
        ("€12345", "€54321"),
        ("it went well", "it went ill"),
    ],
)
def test_what_may_decide_a_judgement_does(one: str, other: str) -> None:
    assert not same([line(one)], [line(other)])


def test_a_mix_up_of_two_names_is_no_right_use_of_them() -> None:
    right = [line("cancel BK-11111, keep BK-22222"), line("cancelled BK-11111", 2)]
    renamed = [line("cancel BK-33333, keep BK-44444"), line("cancelled BK-33333", 2)]
    mixed_up = [line("cancel BK-33333, keep BK-44444"), line("cancelled BK-44444", 2)]

    assert same(right, renamed)
    assert not same(right, mixed_up)


@pytest.mark.parametrize("ids", [(5, 6), ("a", "b"), ('with "quotes"', "x"), ("7", "8")])
def test_ids_of_turns_are_their_order(ids: tuple[object, object]) -> None:
    usual = [line("hello", 1), line("hi", 2)]

    assert same(usual, [line("hello", ids[0]), line("hi", ids[1])])
    assert not same(usual, [line("hello", ids[0]), line("hi", ids[0])])
    assert form_of([line("hello", ids[0]), line("hi", ids[1])]).turns == (str(ids[0]), str(ids[1]))


def test_no_text_writes_what_stands_for_a_name() -> None:
    named, forged = form_of([line("BK-12345")]), form_of([line("\x020\x03")])

    assert named.text != forged.text
    assert not same([line("say", 1)], [line('"turn_id": 9', 1)])


def test_a_text_of_one_conversation_becomes_that_of_its_like() -> None:
    first = form_of([line("cancel BK-11111"), line("BK-11111 is gone, not INV-777", 2)])
    second = form_of([line("cancel BK-98765"), line("BK-98765 is gone, not INV-888", 2)])

    kept = without_names(first)("the agent cancelled BK-11111, and XY-555 is not its")

    assert with_names(second)(kept) == "the agent cancelled BK-98765, and XY-555 is not its"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
def test_any_text_has_one_form_and_comes_back(texts: list[str]) -> None:
    lines = [json.dumps({"turn_id": place, "role": "user", "content": text}) for place, text in enumerate(texts)]
    form = form_of(lines)

    assert form == form_of(lines)
    assert "\n".join(lines).count("\n") == form.text.count("\n")
    for text in texts:
        plain = text.replace("\x02", "").replace("\x03", "")
        assert with_names(form)(without_names(form)(plain)) == plain
