from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healing_eval.domain.evaluation import Findings
from healing_eval.evaluators.judge.grounding import Grounded, Passages, ground
from healing_eval.evaluators.judge.reading import Answer, Claim, Criterion, Quote
from healing_eval.testing.builders import a_tool_call, a_turn

TURNS = [
    a_turn(1, content="Book me a window seat."),
    a_turn("b", "assistant", "You have seat 14C, on the “aisle”.", tool_calls=[a_tool_call(error="seat taken")]),
]
TRUE = Quote("b", "You have seat 14C")
FALSE = Quote("b", "nobody said this")


def criterion(name: str, score: float, *evidence: Quote) -> Criterion:
    return Criterion(name, score, evidence, "because")


def claim(quote: Quote, kind: str = "incorrect_information", severity: str = "error") -> Claim:
    return Claim(kind, severity, quote, "wrong seat")


def grounded(*criteria: Criterion, claims: tuple[Claim, ...] = ()) -> Grounded:
    return ground(Answer(criteria, claims), Passages(TURNS))


def findings(*criteria: Criterion, claims: tuple[Claim, ...] = ()) -> Findings:
    found = grounded(*criteria, claims=claims).findings
    assert found is not None
    return found


@pytest.mark.parametrize(
    "quote",
    [
        TRUE,
        Quote("b", "  you HAVE\nseat 14c "),
        Quote("b", 'on the "aisle"'),
        Quote("b", "seat ta\u200bken"),
        Quote("1", "window seat"),
    ],
)
def test_spacing_case_and_quotation_marks_do_not_make_a_quote_false(quote: Quote) -> None:
    assert findings(criterion("a", 5, quote)).overall == 1.0


@pytest.mark.parametrize("accent", ["", "é"])  # texts in plain ASCII are made ready on a shorter way
def test_only_letters_digits_and_punctuation_count(accent: str) -> None:
    turn = a_turn("b", "assistant", f'Say \t\r\n\x1c\x1f\x7f"no"\\, don\'t `STOP`{accent}')
    quote = Quote("b", f"say 'NO\x7f', \x0bdont\x0c stop{accent.upper()}")

    found = ground(Answer((criterion("a", 5, quote),), ()), Passages([turn]))

    assert found.false_quotes == 0


@given(st.text(alphabet="ab \n\t\"'`\\\x7f\x00.K\u212aéßª¼¨´«\xa0\xad\u0301", max_size=30), st.data())
def test_a_quote_to_the_letter_is_found_as_any_other(content: str, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(content)))
    quote = Quote("b", content[begin : data.draw(st.integers(begin, len(content)))])

    # With a letter that is not in Latin-1, a text is searched in the way that is always right.
    found = [Passages([a_turn("b", "assistant", one)]).hold(quote) for one in (content, content + "漢")]

    assert found[0] == found[1]


@pytest.mark.parametrize(
    "quote", [FALSE, Quote("1", "seat 14C"), Quote("9", "seat"), Quote(None, "seat"), Quote("b", "a")]
)
def test_a_quote_of_another_turn_of_none_or_of_next_to_nothing_is_false(quote: Quote) -> None:
    assert grounded(criterion("a", 5, quote)).findings is None


def test_a_criterion_without_a_true_quote_is_shown_and_does_not_count() -> None:
    found = findings(criterion("good", 5, TRUE), criterion("doubtful", 0, FALSE), criterion("other", 4, TRUE))

    assert found.overall == pytest.approx(0.9)
    assert [score.value for score in found.scores] == [1.0, 0.0, 0.8]
    assert found.scores[1].explanation.startswith("untrusted")
    assert "1 of 3 quotes" in found.explanation


def test_more_false_quotes_than_true_ones_make_the_whole_answer_unbelievable() -> None:
    result = grounded(criterion("a", 5, TRUE, FALSE, FALSE))

    assert (result.findings, result.quotes, result.false_quotes) == (None, 3, 2)


def test_an_issue_moves_to_the_turn_in_which_its_quote_stands() -> None:
    found = findings(criterion("a", 5, TRUE), claims=(claim(Quote("b", "window seat")),))

    assert found.issues[0].turn_id == 1
    assert found.issues[0].evidence == "window seat"


def test_an_issue_whose_quote_stands_nowhere_is_dropped_and_counted() -> None:
    found = findings(criterion("a", 5, TRUE, TRUE), claims=(claim(FALSE), claim(TRUE)))

    assert len(found.issues) == 1
    assert "1 of 2 issues dropped" in found.explanation


def test_an_issue_about_something_missing_needs_no_quote() -> None:
    found = findings(criterion("a", 5, TRUE), claims=(claim(Quote("b", "")), claim(Quote("99", ""))))

    assert [one.turn_id for one in found.issues] == ["b", None]


def test_an_unknown_type_is_other_and_an_unknown_severity_the_types_own() -> None:
    found = findings(criterion("a", 5, TRUE), claims=(claim(TRUE, "<b>", "CRITICAL"), claim(TRUE, "other", "huge")))

    assert [(one.type, one.severity) for one in found.issues] == [("other", "critical"), ("other", "warning")]
