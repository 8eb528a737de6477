"""Does a word, or a relative of it, begin a word of the text?"""

import pytest

from healing_eval.evaluators.tool_call.grounding.stems import relative_stands


@pytest.mark.parametrize("text", ["luxurious", "a luxury cruise", "first\nluxuries"])
def test_a_word_is_found_by_its_beginning(text):
    assert relative_stands("luxury", 2, text, len(text))


@pytest.mark.parametrize(
    ("word", "text"),
    [("hotel", "a motel"), ("ample", "an example"), ("lux", "luxury"), ("12345", "12345"), ("later", "")],
)
def test_inside_another_word_or_when_short_it_is_not(word, text):
    assert not relative_stands(word, 2, text, len(text))


def test_what_stands_after_the_limit_does_not_count():
    assert not relative_stands("luxury", 2, "plain or luxury", 8)


def test_a_few_words_that_hold_it_inside_do_not_hide_it():
    assert relative_stands("ample", 0, "example " * 20 + "ample", 200)
