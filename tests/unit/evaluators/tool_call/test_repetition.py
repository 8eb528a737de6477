"""Is the same call, made again though nothing had changed, found?"""

from healing_eval.domain.conversation import ToolCall
from healing_eval.evaluators.tool_call.repetition import check_repetition


def test_equal_calls_without_answers_count_within_one_turn_only(context, kinds):
    look = ToolCall("look", {"city": "Bonn"})

    assert kinds(check_repetition(context("u Bonn?", ("", look, look)))) == ["repeated_call"]
    assert kinds(check_repetition(context("u Bonn?", ("", look), ("", look)))) == []
    assert kinds(check_repetition(context("u Bonn?", ("", look, ToolCall("look", {"city": "Ulm"}))))) == []


def test_a_retry_with_another_answer_is_no_repetition(context, call, kinds):
    busy, works = call("look", error="busy", city="Bonn"), call("look", "ok", city="Bonn")

    assert kinds(check_repetition(context("u Bonn?", ("", busy, works)))) == []


def test_the_users_word_lets_a_call_be_made_again(context, call, kinds):
    look = call("look", "ok", city="Bonn")

    assert kinds(check_repetition(context("u Bonn?", ("", look), "u And now?", ("", look)))) == []


def test_calls_that_could_not_be_read_are_not_compared(context, kinds):
    broken = ToolCall("look", malformed_arguments="{")

    assert kinds(check_repetition(context("u Bonn?", ("", broken, broken)))) == []
