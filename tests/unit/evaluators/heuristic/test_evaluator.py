from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from healing_eval.domain.conversation import Conversation, ToolCall, ToolResult, Turn
from healing_eval.domain.evaluation import Abstention, Findings
from healing_eval.errors import ConfigError
from healing_eval.evaluators.heuristic.evaluator import Heuristic
from healing_eval.ports.evaluator import Evaluator, EvaluatorSetup

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG = "I am sorry, but I cannot change a basic ticket once it has been issued to the passenger."


def user(text: str = "Hello?", second: float | None = None) -> Turn:
    return said("user", text, second)


def agent(text: str = "Hello.", second: float | None = None, *calls: ToolCall) -> Turn:
    return said("assistant", text, second, *calls)


def said(role: Any, text: str, second: float | None, *calls: ToolCall) -> Turn:
    stamp = None if second is None else NOON + timedelta(seconds=second)
    return Turn(turn_id=0, role=role, content=text, timestamp=stamp, tool_calls=calls)


def failed(error: str, **parameters: Any) -> ToolCall:
    return ToolCall("search", parameters, ToolResult(error=error))


def judge(*turns: Turn, complete: bool = True, **options: Any) -> Findings:
    numbered = tuple(
        Turn(number, t.role, t.content, t.timestamp, t.tool_calls) for number, t in enumerate(turns, start=1)
    )
    conversation = Conversation(
        key=b"k" * 16, conversation_id="c", agent_version="v", turns=numbered, complete=complete
    )
    return Heuristic.create(EvaluatorSetup(options)).judge(conversation)


def types(findings: Findings) -> list[str]:
    return [found.type for found in findings.issues]


def score_names(findings: Findings) -> set[str]:
    return {score.name for score in findings.scores}


def test_it_is_an_evaluator() -> None:
    evaluator: Evaluator = Heuristic.create(EvaluatorSetup())

    assert (evaluator.name, evaluator.weight, evaluator.lane, evaluator.needs) == (
        "heuristic",
        20.0,
        "checks",
        frozenset(),
    )


async def test_a_conversation_without_an_assistant_turn_is_abstained_from() -> None:
    conversation = Conversation(key=b"k" * 16, conversation_id="c", agent_version="v", turns=(user(),))

    evaluations = [one async for one in Heuristic.create(EvaluatorSetup()).evaluate([conversation])]

    assert [one.result for one in evaluations] == [Abstention("no assistant turn")]


@pytest.mark.parametrize(("seconds", "severity"), [(11, "warning"), (31, "error")])
def test_a_slow_answer_names_what_was_measured_and_the_threshold(seconds: float, severity: str) -> None:
    (found,) = judge(user(second=0), agent(second=seconds)).issues

    assert (found.type, found.severity) == ("slow_response", severity)
    assert f"{seconds}.0 s" in found.description
    assert ("10 s" if severity == "warning" else "30 s") in found.description


def test_many_quick_answers_are_not_slow_together() -> None:
    turns = [t for n in range(20) for t in (user(second=n * 20), agent(f"Answer {n}.", n * 20 + 5))]

    findings = judge(*turns)

    assert types(findings) == []
    assert "latency" in score_names(findings)


def test_a_user_who_comes_back_the_next_day_is_no_delay() -> None:
    findings = judge(user(second=0), agent(second=2), user(second=86_400), agent("Welcome back.", 86_403))

    assert types(findings) == []


def test_without_times_latency_has_no_score() -> None:
    findings = judge(user(), agent())

    assert "latency" not in score_names(findings)
    assert "latency not measured" in findings.explanation


def test_times_out_of_order_are_noted_and_not_measured() -> None:
    findings = judge(user(second=60), agent(second=0))

    assert "latency" not in score_names(findings)
    assert "1 timestamps out of order" in findings.explanation


def test_a_slow_tool_is_reported_once_for_its_turn() -> None:
    slow = ToolCall("search", {}, ToolResult(value=1), latency_ms=6_000)

    (found,) = judge(user(second=0), agent("Found.", 12, slow)).issues

    assert found.tool_name == "search"
    assert "6000 ms" in found.description


def test_calls_slow_together_are_reported() -> None:
    calls = [ToolCall("search", {"page": n}, ToolResult(value=n), latency_ms=3_000) for n in range(2)]

    (found,) = judge(user(), agent("Found.", None, *calls)).issues

    assert "6000 ms together" in found.description


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\ufeff"])
def test_an_assistant_turn_that_shows_nothing_is_empty(text: str) -> None:
    assert types(judge(user(), agent(text))) == ["empty_response"]


def test_an_agent_that_never_says_anything_has_failed() -> None:
    never = judge(user(), agent(""), user(), agent(" "))
    once = judge(user(), agent("Hello, what can I do for you?"), user(), agent(" "))

    assert [found.severity for found in never.issues] == ["critical", "critical"]
    assert [found.severity for found in once.issues] == ["error"]


def test_a_turn_with_a_tool_call_only_is_not_empty() -> None:
    assert types(judge(user(), agent("", None, ToolCall("search")))) == []


@pytest.mark.parametrize(
    "text",
    [
        "Here is the code:\n```python\nprint(1)",
        '{"flights": [{"id": "A1", "price": 12',
        "I found three flights for you that leave on Monday morning, cost little,",
        "I can book the flight for you as soon as you tell me the name of the passenger and",
        "The reservation that you asked me about has been changed to the twelfth of Septem-",
        "You may bring one bag on board of this flight without any further fee (if it is",
    ],
)
def test_a_text_that_breaks_off_is_truncated(text: str) -> None:
    assert types(judge(user(), agent(text))) == ["truncated_response"]


@pytest.mark.parametrize(
    "text",
    [
        "Sure,",
        "You can read all about our return policy here: https://example.org/help/returns-and-refunds",
        "We have these flights for you on Monday morning:\n- SK887 at 14:40\n- SK266 at 17:05",
        "It was a pleasure to help you with your booking today, have a wonderful trip 🎉",
        "ご予約は完了しました。確認メールをお送りしましたのでご確認ください。良いご旅行をお楽しみくださいませ。",
        "Thank you for waiting. Everything has been arranged as you asked.\n\nWith kind regards,",
        "Here is the code you asked for, it prints one:\n```python\nprint(1)\n```",
        "I am so sorry that the parcel did not arrive in time for the birthday party :(",
    ],
)
def test_an_odd_but_whole_text_is_not_truncated(text: str) -> None:
    assert types(judge(user(), agent(text))) == []


def test_the_last_turn_of_an_incomplete_conversation_may_still_grow() -> None:
    assert types(judge(user(), agent('{"flights": ['), complete=False)) == []


def test_a_long_turn_said_again_is_repeated() -> None:
    assert types(judge(user(), agent(LONG), user("Why?"), agent(LONG.upper()))) == ["repeated_response"]


def test_a_short_turn_may_be_said_again() -> None:
    assert types(judge(user(), agent("You're welcome!"), user(), agent("You're welcome!"))) == []


def test_the_same_sentence_about_another_flight_is_not_repeated() -> None:
    text = LONG + " " + LONG + " The flight is HAT{} to {} and it leaves in the morning."

    assert types(judge(user(), agent(text.format(1, "Oslo")), user(), agent(text.format(2, "Rome")))) == []


def test_failures_alike_share_a_signature_that_quotes_nobody() -> None:
    first = failed('no flight to Oslo on 12/03/2026: "anna" at /var/log/x', city="Oslo")
    second = failed('no flight to Rome on 19/04/2026: "bert" at /var/log/y', city="Rome")

    one, other = judge(user(), agent("Hm.", None, first), user(), agent("Hmm.", None, second)).issues

    assert one.type == "tool_failure"
    assert one.signature == other.signature
    assert one.signature.startswith("tool_failure:search:no flight to on at#")


@pytest.mark.parametrize("period", [1, 2, 4])
def test_the_same_calls_three_times_are_a_loop(period: int) -> None:
    calls = [ToolCall("search", {"page": n % period}, ToolResult(value="none")) for n in range(3 * period)]

    assert types(judge(user(), *[agent("", None, call) for call in calls], agent("Done."))) == ["loop"]


def test_a_poll_that_learns_something_new_is_no_loop() -> None:
    calls = [ToolCall("status", {}, ToolResult(value=n)) for n in range(5)]

    assert types(judge(user(), *[agent("", None, call) for call in calls], agent("Done."))) == []


def test_a_last_request_without_an_answer_is_an_early_exit() -> None:
    turns = (user(), agent(), user("Can you book it?"))

    assert types(judge(*turns)) == ["early_exit"]
    assert types(judge(*turns, complete=False)) == []


def test_a_farewell_needs_no_answer() -> None:
    assert types(judge(user(), agent(), user("Thanks, bye!"))) == []


@pytest.mark.parametrize(
    "demanded",
    [{"must_be_json": True}, {"must_match": ["^Dear"]}, {"must_not_match": ["Hel+o"]}, {"max_characters": 3}],
)
def test_a_turn_of_another_form_is_a_violation(demanded: dict[str, Any]) -> None:
    findings = judge(user(), agent(), format=demanded)

    assert types(findings) == ["format_violation"]
    assert "format" in score_names(findings)


@pytest.mark.parametrize("field", ["system_prompt", "tools", "turns.timestamp", "turns.tool_calls.latency_ms"])
def test_a_required_field_that_is_not_there_is_reported_once(field: str) -> None:
    call = ToolCall("search", {}, ToolResult(value=1))

    assert types(judge(user(), agent("Hi.", None, call, call), required_fields=[field])) == ["missing_field"]


def test_one_make_of_issue_counts_three_times_at_most() -> None:
    def after(count: int) -> float:
        turns = [agent(f"Try {n}.", None, failed("timeout", page=n)) for n in range(count)]
        return judge(user(), *turns).overall

    assert after(3) == pytest.approx(0.9**3)
    assert after(20) == after(3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"turn_warn_second": 1}, "turn_warn_second'; known: turn_warn_seconds"),
        ({"format": {"must_be_jsn": True}}, "must_be_jsn'; known: must_be_json"),
        ({"turn_warn_seconds": "soon"}, "turn_warn_seconds"),
        ({"turn_warn_seconds": 40}, "turn_warn_seconds <= turn_error_seconds"),
        ({"repeat_min_characters": 0}, "repeat_min_characters"),
        ({"required_fields": ["mood"]}, "'mood'; known: system_prompt"),
        ({"format": {"must_match": ["(unclosed"]}}, r"'\(unclosed'"),
        ({"format": {"must_not_match": ["(?=a)b"]}}, "must_not_match"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Heuristic.create(EvaluatorSetup(options))


def test_the_version_changes_with_the_options() -> None:
    plain, strict = Heuristic.create(EvaluatorSetup()), Heuristic.create(EvaluatorSetup({"turn_warn_seconds": 5}))

    assert plain.version == Heuristic.create(EvaluatorSetup()).version != strict.version


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["act as ", "(", '{"', "```\n", "a,", "\u200b", " ", "'", '"\\'])
def test_a_hostile_megabyte_is_judged(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    demanded = {"must_not_match": ["(a+)+$"], "must_be_json": True}

    findings = judge(user(text), agent(text, None), agent(text + "x", None, failed(text, q=text)), format=demanded)

    assert 0 <= findings.overall <= 1
