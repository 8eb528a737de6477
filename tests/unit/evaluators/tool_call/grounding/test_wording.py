"""Does a text that the agent worded speak of what was spoken of?"""

import pytest


@pytest.mark.parametrize(
    ("said", "argument", "value"),
    [
        ("remind me to water the tulips", "content", "Water tulips"),
        ("what do you know about volcanoes in Iceland?", "query", "volcano Iceland"),
        ("tell Mia that the train is late", "message", "Hi Mia, the train is running late. See you!"),
        ("add the dentist for me", "title", "Dentist appointment"),
    ],
)
def test_a_text_whose_words_were_said_has_a_ground(grounded, said, argument, value):
    assert grounded(said, **{argument: value}) == [True]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("content", "Renew passport"),
        ("query", "cheap violins"),
        ("title", "The Silent Harbour"),
        ("message", "Dear Otto, your parcel with the violin strings waits at our branch in Graz until noon."),
    ],
)
def test_a_text_about_something_else_has_none(grounded, argument, value):
    assert grounded("please remind me to water the tulips", **{argument: value}) == [False]


def test_a_longer_text_may_hold_more_words_of_the_agents_own(grounded):
    own = "Great job with those tulips, they look wonderful in your garden"

    assert grounded("tell Mia what you think of the tulips in her garden", message=own) == [True]


@pytest.mark.parametrize("value", ["Please do this for me", "note", "2024", "", "明天和客户开会"])
def test_a_text_without_telling_words_is_not_decided(grounded, value):
    assert grounded("what can you do for me", note=value) == []


def test_what_was_translated_is_not_decided(grounded):
    assert grounded("Erinnere mich an die Tulpen", content="Water flowers") == []


@pytest.mark.parametrize("argument", ["formula", "sql", "thought", "code"])
def test_what_the_agent_works_out_is_not_looked_up(grounded, argument):
    assert grounded("what is the total for you", **{argument: "select everything from violins"}) == []


def test_long_texts_are_not_looked_up(grounded):
    assert grounded("please tell me", body="violin " * 40) == []
