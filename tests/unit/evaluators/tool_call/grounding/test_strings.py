"""Which names, codes and phrases were said?"""

import pytest


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("remind me to call my mom", "call your mom"),
        ("I feel nauseous", "nausea"),
        ("a flight from SAN", "San Diego"),
        ("to NY please", "New York"),
        ("from L.A.", "Los Angeles"),
        ("in Straße des 17. Juni", "STRASSE des 17 Juni"),
        ("order mia_li_3668", "MIA_LI_3668"),
    ],
)
def test_a_phrase_said_in_other_letters_has_a_ground(grounded, said, value):
    assert grounded(said, where=value) == [True]


@pytest.mark.parametrize(
    ("said", "value"),
    [("in San Jose", "San Diego"), ("now or later", "Oregon"), ("my visa ending in 4421", "visa_4421")],
)
def test_words_of_something_else_are_no_ground(grounded, said, value):
    assert grounded(said, where=value) == [False]
