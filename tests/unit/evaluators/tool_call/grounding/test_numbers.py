"""Which numbers were said, or follow from two that were?"""

import pytest


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("two thousand", {"points": 2000}),
        ("about 20k", {"points": 20_000}),
        ("thirty-five", {"age": 35}),
        ("120 and 30", {"total": 150}),
        ("120 less 30", {"amount": 90}),
        ("3 at 12.50", {"price": 37.5}),
        ("7 and 8 of us", {"number_of_guests": 15}),
    ],
)
def test_a_number_said_or_computed_has_a_ground(grounded, said, arguments):
    assert grounded(said, **arguments) == [True]


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("card 4000 and 4421", {"card_number": 8421}),
        ("1200 and 40", {"order_id": 1240}),
        ("nothing of the sort", {"points": 2000}),
        ("12 and 5", {"total": 99}),
    ],
)
def test_an_identifier_is_not_computed(grounded, said, arguments):
    assert grounded(said, **arguments) == [False]
