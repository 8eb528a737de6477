from __future__ import annotations

import pytest

from healing_eval.evaluators.coherence.preferences import check
from healing_eval.testing.builders import a_tool_call


@pytest.mark.parametrize(
    ("stated", "reply"),
    [
        ("I'm vegetarian.", "I suggest the beef lasagne."),
        ("We are both strict vegans, thanks.", "I'd recommend the cheese omelette."),
        ("No pork, please.", "How about the bacon burger?"),
        ("I am allergic to peanuts.", "You should try the chicken satay."),
        ("It has to be gluten-free.", "I recommend the spaghetti."),
        ("I can't eat shellfish.", "I've ordered the prawn curry with shrimp."),
        ("I only want direct flights.", "I recommend the flight with one stop in Madrid."),
        ("I want a window seat.", "I've booked the aisle seat for you."),
        ("I need a hotel under $200.", "I recommend the Grand Hotel at $250."),
        ("Please do not call me.", "Very well, I will call you tomorrow."),
        ("I'm vegetarian.", "How about the chicken with rice and vegetables?"),
    ],
)
def test_acting_against_a_stated_preference_is_critical(talk, stated: str, reply: str) -> None:
    context = talk(f"u: {stated}", "a: Noted.", "u: What do you suggest?", f"a: {reply}")

    found = list(check(context))

    assert [(one.type, one.severity, one.turn_id) for one in found] == [("preference_violated", "critical", 4)]


@pytest.mark.parametrize(
    ("stated", "reply"),
    [
        ("I'm vegetarian.", "I suggest the vegetarian sausage."),
        ("I'm vegetarian.", "I recommend the curry without chicken."),
        ("I'm vegetarian.", "I can't recommend the steak."),
        ("I'm vegetarian.", "I suggest the stew; note that the beef pie is not suitable for vegetarians."),
        ("I'm vegetarian.", "Our menu has beef, chicken and paneer."),
        ("I'm vegan.", "I recommend the curry with coconut milk."),
        ("I'm not vegetarian.", "I suggest the steak."),
        ("Is it good for a vegetarian?", "I suggest the steak."),
        ("I need a hotel under $200.", "I recommend the Inn at $150."),
        ("I want a window seat.", "I've booked the window seat rather than an aisle seat."),
        ("Please do not call me.", "I will not call you."),
    ],
)
def test_what_keeps_to_the_preference_is_no_issue(talk, stated: str, reply: str) -> None:
    context = talk(f"u: {stated}", "a: Noted.", "u: What do you suggest?", f"a: {reply}")

    assert list(check(context)) == []


def test_an_order_with_meat_long_after_the_user_said_vegetarian_is_found_in_the_call(talk) -> None:
    order = a_tool_call("place_order", {"items": [{"dish": "chicken tikka masala", "quantity": 1}]})
    small_talk = ["u: And today's weather?", "a: It is sunny."] * 3

    [found] = check(talk("u: I'm vegetarian.", "a: Noted.", *small_talk, "u: Order now.", "a: Done.", order))

    assert (found.turn_id, found.tool_name, found.argument) == (10, "place_order", "/items/0/dish")
    assert "vegetarian" in found.description


@pytest.mark.parametrize(
    "relents",
    [
        "Actually, meat is fine today.",
        "You know what, I do eat meat now.",
        "The steak for me.",
        "Beef for my friend is ok.",
    ],
)
def test_a_preference_taken_back_is_gone(talk, relents: str) -> None:
    context = talk("u: I'm vegetarian.", "a: Noted.", f"u: {relents}", "a: I suggest the beef lasagne.")

    assert list(check(context)) == []


@pytest.mark.parametrize(
    "call",
    [
        a_tool_call("search_dishes", {"query": "chicken"}),
        a_tool_call("place_order", {"dish": "curry", "notes": "no chicken"}),
        a_tool_call("place_order", {"dish": "vegetarian chicken"}),
        a_tool_call("place_order", {"restaurant": "Chicken House", "dish": "salad"}),
        a_tool_call("get_order", {"dish": "chicken"}),
    ],
)
def test_looking_up_and_leaving_out_are_no_orders(talk, call) -> None:
    assert list(check(talk("u: I'm vegetarian.", "a: One moment.", call))) == []


@pytest.mark.parametrize(
    ("stated", "call", "argument"),
    [
        ("Non-stop only, please.", a_tool_call("book_flight", {"stops": 1}), "/stops"),
        ("At most $200.", a_tool_call("book_hotel", {"price": 240.0}), "/price"),
        ("Nothing before 11:00 am.", a_tool_call("book_table", {"time": "09:30"}), "/time"),
        ("It must be before 5 pm.", a_tool_call("book_table", {"time": "18:00"}), "/time"),
        ("I prefer an aisle seat.", a_tool_call("book_flight", {"seat/type": "window"}), "/seat~1type"),
    ],
)
def test_parameters_out_of_bounds_are_found(talk, stated: str, call, argument: str) -> None:
    [found] = check(talk(f"u: {stated}", "a: Done.", call))

    assert found.argument == argument


def test_a_call_to_a_user_who_does_not_want_calls_is_found(talk) -> None:
    [found] = check(talk("u: Don't email me.", "a: Noted.", a_tool_call("send_email", {"to": "x"})))

    assert found.tool_name == "send_email"


def test_values_within_bounds_are_no_issue(talk) -> None:
    calls = (
        a_tool_call("book_flight", {"stops": 0, "price": 150, "time": "12:00", "gift": True, "bag": None}),
        a_tool_call("update_email", {"email": "a@b.c"}),
    )

    context = talk("u: Non-stop only, at most $200, nothing before 11:00 am. Do not email me.", "a: Done.", *calls)

    assert list(check(context)) == []


def test_another_time_named_later_lifts_the_bound(talk) -> None:
    call = a_tool_call("book_table", {"time": "09:30"})

    assert list(check(talk("u: Nothing before 11:00 am.", "a: Full.", "u: Then 9:30.", "a: Done.", call))) == []
    assert list(check(talk("u: At most $200.", "a: Full.", "u: $300 then.", "a: I recommend one at $250."))) == []


def test_one_preference_is_reported_once(talk) -> None:
    context = talk("u: I'm vegetarian.", "a: I suggest the steak.", "u: Hm.", "a: I suggest the beef stew.")

    assert len(list(check(context))) == 1
