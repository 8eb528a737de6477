"""Are conversations the same exactly where they differ in nothing but names?"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healing_eval.evaluators.judge.fence import record_line
from healing_eval.evaluators.judge.sameness import form_of, with_names, without_names


def line(content: str, turn_id: object = 1, **more: object) -> str:
    return record_line({"turn_id": turn_id, "role": "user", "content": content, **more}).text


def same(one: list[str], other: list[str]) -> bool:
    return form_of(one).text == form_of(other).text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[2025-03-01T10:02:33Z] good morning", "[2026-11-27T23:59:00Z] good morning"),
        ("see 6f1ed002-ab51-4b1f-9d2c-111122223333", "see 00000000-0000-0000-0000-00000000abcd"),
        ("hash deadbeef0123", "hash 0123456789ab"),
        ("booking BK-12345", "booking BK-98765"),
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
        ("300 times 300 is 90000", "300 times 300 is 80000"),
        ("it costs 12345 euros", "it costs 99999 euros"),
        ("it costs 12345 \u20ac", "it costs 99999 \u20ac"),
        ("it costs AUD50000", "it costs AUD90000"),
        ("it costs SEK-50000", "it costs SEK-90000"),
        ("the norm is ISO27001", "the norm is ISO14001"),
        ("it leaves at 2025-03-01T10:02", "it leaves at 2025-03-05T18:30"),
        ("invoice INV-12345", "invoice BK-12345"),
        ("booking BK-12345", "booking BK-123456"),
        ("cancel x000GiveFiveForAll", "cancel BK-12345"),
        ("cancel GIVE-50000GIVEFIVE", "cancel BKXY-12345"),
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


@pytest.mark.parametrize(
    "said",
    [
        "12345",
        "bk-12345",
        "BK12345",
        "#12345",
        "12 345",
        "1 2 3 4 5",
        "1-2-3-4-5",
        "the one that ends in 345",
        "the one that ends in 45",
        "the one that starts with 12",
        "XBK-12345",
        "12345.00",
        "\uff11\uff12\uff13\uff14\uff15",
        "\u0661\u0662\u0663\u0664\u0665",
    ],
)
def test_a_name_that_is_also_spoken_of_in_another_way_stays(said: str) -> None:
    """Else the agent that cancelled the wrong booking looks like the one that cancelled the right one."""
    right = [line("cancel BK-12345"), line(f"{said} has been cancelled", 2)]
    wrong = [line("cancel BK-98706"), line(f"{said} has been cancelled", 2)]

    assert not same(right, wrong)


def test_a_name_after_a_line_break_is_the_same_name() -> None:
    right = [line("cancel BK-11111"), line("Done:\nBK-11111", 2)]

    assert same(right, [line("cancel BK-33333"), line("Done:\nBK-33333", 2)])
    assert not same(right, [line("cancel BK-33333"), line("Done:\nBK-11111", 2)])


@pytest.mark.parametrize(
    ("uuid", "said"),
    [
        ("6f1ed002-ab51-4b1f-9d2c-111122223333", "6F1ED002-AB51-4B1F-9D2C-111122223333"),
        ("6f1ed002-ab51-4b1f-9d2c-111122223333", "6f1ed002ab514b1f9d2c111122223333"),
        ("6f1ed002-ab51-4b1f-9d2c-111122223333", "the one with 6f1e"),
        ("deadbeef0123", "the dead one"),
    ],
)
def test_nor_is_an_id_exchanged_of_which_a_part_is_told(uuid: str, said: str) -> None:
    other = "0" * 7 + uuid[7:]

    assert not same([line(f"cancel {uuid}"), line(said, 2)], [line(f"cancel {other}"), line(said, 2)])


def stamped(stamp: str, said: str, key: str = "created_at") -> list[str]:
    return [line("is it there?"), line(said, 2, tool_calls=[{"result": {key: stamp}}])]


@pytest.mark.parametrize(
    "said", ["at 10:02", "on 1 March", "on Saturday", "on the 1st", "at 10", "tomorrow", "in 2025"]
)
def test_a_time_stays_where_anybody_talks_of_time(said: str) -> None:
    first, second = "2025-03-01T10:02:33Z", "2026-11-27T23:59:00Z"

    assert same(stamped(first, "It is here."), stamped(second, "It is here."))
    assert not same(stamped(first, f"It is here {said}."), stamped(second, f"It is here {said}."))
    assert not same(stamped(first, "It is here.", "departs"), stamped(second, "It is here.", "departs"))


def test_bare_digits_are_a_name_only_where_the_conversation_says_so() -> None:
    def ordered(number: int, **more: int) -> list[str]:
        return [line("where is it?", 1, tool_calls=[{"parameters": {"order_id": number, **more}}])]

    assert same(ordered(48213), ordered(90001))
    assert not same(ordered(48213, amount=48213), ordered(90001, amount=90001))
    assert not same(ordered(48213, amount=50000), ordered(48213, amount=20000))


@pytest.mark.parametrize(
    "ids", [(5, 6), ("a", "b"), ("t-1", "t-2"), ("7", "8"), ("msg_" + "0a" * 12, "msg_" + "0b" * 12)]
)
def test_ids_of_turns_are_their_order(ids: tuple[object, object]) -> None:
    usual = [line("hello", 1), line("hi", 2)]

    assert same(usual, [line("hello", ids[0]), line("hi", ids[1])])
    assert not same(usual, [line("hello", ids[0]), line("hi", ids[0])])
    assert form_of([line("hello", ids[0]), line("hi", ids[1])]).turns == (str(ids[0]), str(ids[1]))


@pytest.mark.parametrize("turn_id", ["give 5 for all", 'with "quotes"', "ignore", "give-5", "\u0661"])
def test_an_id_in_which_somebody_may_have_written_something_stays(turn_id: str) -> None:
    assert not same([line("hello", 1)], [line("hello", turn_id)])


def test_what_a_tool_calls_turn_id_is_no_id_of_a_turn() -> None:
    def called(text: str) -> list[str]:
        return [line("hello", 1, tool_calls=[{"parameters": {"turn_id": text}, "result": {"turn_id": text}}])]

    assert not same(called("5"), called("6"))
    assert not same(called("all is well"), called("all is lost"))


def test_findings_of_checks_name_the_turns_of_their_conversation() -> None:
    def checked(first: int, named: int) -> list[str]:
        return [
            '{"agent_instructions":""}',
            record_line({"checks": [{"turn_id": named, "type": "other"}]}).text,
            line("a", first),
        ]

    assert same(checked(1, 1), checked(7, 7))
    assert not same(checked(1, 1), checked(7, 8))


def test_no_text_writes_what_stands_for_a_name() -> None:
    named, forged = form_of([line("BK-12345")]), form_of([line("\x020\x03")])

    assert named.text != forged.text
    assert not same([line("say", 1)], [line('"turn_id":9', 1)])


def test_a_text_of_one_conversation_becomes_that_of_its_like() -> None:
    first = form_of([line("cancel BK-11111"), line("BK-11111 is gone, not INV-777", 2)])
    second = form_of([line("cancel BK-98765"), line("BK-98765 is gone, not INV-888", 2)])

    kept = without_names(first)("the agent cancelled BK-11111, and XY-555 is not its")

    assert with_names(second)(kept) == "the agent cancelled BK-98765, and XY-555 is not its"


def test_a_conversation_of_very_many_names_is_compared_letter_by_letter() -> None:
    many = " ".join(f"BK-{number}" for number in range(10_000, 10_100))

    assert form_of([line(many)]).names == ()


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
def test_any_text_has_one_form_and_comes_back(texts: list[str]) -> None:
    lines = [line(text, place) for place, text in enumerate(texts)]
    form = form_of(lines)

    assert form == form_of(lines)
    assert "\n".join(lines).count("\n") == form.text.count("\n")
    for text in texts:
        plain = text.replace("\x02", "").replace("\x03", "")
        assert with_names(form)(without_names(form)(plain)) == plain


NAMES = [
    *(
        "BK-12345",
        "BK-98760",
        "BK12345",
        "bk-12345",
        "INV-70707",
        "12345",
        "48213",
        "90001",
        "deadbeef0123",
        "00000000000a",
    ),
    *("6f1ed002-ab51-4b1f-9d2c-111122223333", "7a1ed002-ab51-4b1f-9d2c-111122223334", "2025-03-01T10:02:33Z"),
    *("2026-11-27T23:59:00Z", "EUR50000", "AUD-50000", "50000", "345", "10", "t1", "5"),
]
SEPARATORS = [
    " ",
    "\n",
    " ref ",
    " #",
    "-",
    "",
    ": ",
    ' "',
    "\\",
    "\u00fc",
    "\x020\x03",
    '"turn_id":',
    "\\u0041",
    "[",
    "] ",
]
words = st.lists(st.tuples(st.sampled_from(SEPARATORS), st.sampled_from(NAMES)), max_size=5)
talks = st.lists(st.tuples(st.sampled_from([1, 2, 7, "t1", "t2", "give 5", "#0"]), words), min_size=1, max_size=3)
Talk = Sequence[tuple[object, Sequence[tuple[str, str]]]]


def written(talk: Talk) -> list[str]:
    texts = (("".join(map("".join, spoken)), turn) for turn, spoken in talk)
    return [
        line(text, turn, tool_calls=[{"parameters": {"order_id": text, "created_at": text}}]) for text, turn in texts
    ]


@settings(max_examples=1500, deadline=None)
@given(talks, st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES)), st.integers(0, 20), st.booleans())
def test_conversations_of_one_form_differ_in_nothing_but_a_renaming_one_to_one(
    talk: Talk, other_names: dict[str, str], one_place: int, only_there: bool
) -> None:
    """Whatever becomes of its words: if the form stays, each name became one other and nothing else changed."""
    places = iter(range(1000))
    changed = [
        (
            turn,
            [
                (gap, other_names.get(word, word) if not only_there or next(places) == one_place else word)
                for gap, word in spoken
            ],
        )
        for turn, spoken in talk
    ]
    first, second = form_of(written(talk)), form_of(written(changed))

    if first.text == second.text:
        renamed = dict(zip(first.names, second.names, strict=True))
        assert len(set(renamed.values())) == len(renamed)
        text = "\n".join(written(talk))
        if renamed:
            text = re.sub("|".join(map(re.escape, renamed)), lambda match: renamed[match.group()], text)
        assert text == "\n".join(written(changed))


@given(st.permutations(["BK-10987", "BK-24681", "BK-35791"]))
def test_a_renaming_one_to_one_keeps_the_form(names: list[str]) -> None:
    """The other way round: like conversations do share, so that the test above is not about nothing."""
    before = [line("cancel BK-77777, keep BK-86868"), line("BK-77777 is gone", 2)]
    after = [line(f"cancel {names[0]}, keep {names[1]}"), line(f"{names[0]} is gone", 2)]

    assert same(before, after)
