"""Is a failed call that was not made good found, and a claim that it succeeded?"""

import pytest

from healing_eval.evaluators.tool_call.recovery import check_recovery

CLAIMS = [
    "Your flight AZ491 on 16/05/2026 is confirmed. You will receive an e-mail shortly.",
    "Your booking is confirmed: AZ491, 16/05/2026, passenger Ada.",
    "Your flight is booked: AZ491, for Ada. Have a good trip!",
    "You're all set!",
    "All set, enjoy your trip.",
    "Done! Anything else?",
    "Great news, I have successfully booked AZ491.",
    "I've now booked it for you, so don't worry.",
    "I'm sorry for the wait. The flight has been booked.",
    "Your request has been completed. If you have any issues, let me know.",
    "The reservation went well: everything is confirmed.",
]
NO_CLAIMS = [
    "I could not confirm the booking.",
    "Your flight is not confirmed.",
    "Once it is confirmed, you are all set. Sorry for the delay.",
    "Your flight is booked once the payment is in. Sorry, there was an error.",
    "Unfortunately the system returned an error, so your flight has not been booked.",
    "The booking will be confirmed later, there is a problem right now.",
    "Is your flight booked? I am sorry, I cannot see it.",
    "If the flight was booked, you would have an e-mail. I am unable to see one.",
    "Sorry. Your identity is confirmed.",
    "I was unable to book AZ491. Your request has been completed as far as possible.",
    "Your old flight was already booked, and I'm sorry about this one.",
]


def failing(context, call, reply, **more):
    booking = call("book_flight", error="invalid date", flight_id="AZ491", date="16/05/2026")
    return context("u Book AZ491", ("", booking), f"a {reply}", **more)


@pytest.mark.parametrize("reply", CLAIMS)
def test_a_claim_after_a_failed_call_contradicts_its_result(context, call, reply):
    (issue,) = check_recovery(failing(context, call, reply))

    assert issue.type == "result_contradicted"
    assert issue.evidence in reply.lower()


@pytest.mark.parametrize("reply", NO_CLAIMS)
def test_negations_questions_conditions_and_futures_are_no_claims(context, call, reply):
    assert list(check_recovery(failing(context, call, reply))) == []


def test_a_reply_that_says_neither_leaves_the_error_unrecovered(context, call, kinds):
    assert kinds(check_recovery(failing(context, call, "Anything else?"))) == ["unrecovered_error"]


def test_a_politeness_is_no_admission(context, call, kinds):
    assert kinds(check_recovery(failing(context, call, "No problem! Anything else?"))) == ["unrecovered_error"]


def test_silence_counts_only_when_the_conversation_is_over(context, call, kinds):
    booking = call("book_flight", error="full")

    assert kinds(check_recovery(context("u Book", ("", booking)))) == ["unrecovered_error"]
    assert kinds(check_recovery(context("u Book", ("", booking), complete=False))) == []


def test_what_the_error_itself_says_is_done_is_no_contradiction(context, call):
    cancelling = call("cancel_order", error="the order is already cancelled", order_id="W1")

    found = list(check_recovery(context("u Cancel W1", ("", cancelling), "a Your order is cancelled, no error here.")))

    assert found == []


def test_a_claim_about_another_call_that_succeeded_is_not_held_against_the_failed_one(context, call, kinds):
    hotel, flight = call("book_hotel", "ok", city="Bonn"), call("book_flight", error="full", city="Bonn")

    found = kinds(check_recovery(context("u Both", ("", hotel, flight), "a Your hotel is booked. You're all set!")))

    assert found == ["unrecovered_error"]


def test_a_common_verb_must_be_said_of_the_tools_own_object(context, call, kinds):
    bags = call("add_bags", error="full", flight="LH100")

    contradicted = kinds(check_recovery(context("u Add bags", ("", bags), "a I have added the bags.")))
    other = kinds(check_recovery(context("u Add bags", ("", bags), "a I have added a note.")))

    assert (contradicted, other) == (["result_contradicted"], ["unrecovered_error"])


def test_a_claim_before_the_failed_call_is_not_about_it(context, call, kinds):
    booking = call("book_flight", error="full")

    found = kinds(check_recovery(context("u Book", "a Your flight is booked.", ("", booking), "a Anything else?")))

    assert found == ["unrecovered_error"]


def test_a_later_success_of_the_same_tool_or_before_the_users_next_word_makes_it_good(context, call):
    broken, works, other = call("book_flight", error="busy"), call("book_flight", "ok"), call("find_flight", "ok")

    later = context("u Book", ("", broken), "a Hm.", "u Again", ("", works), "a Done!")
    at_once = context("u Book", ("", broken), ("", other), "a Done!")

    assert list(check_recovery(later)) == list(check_recovery(at_once)) == []


@pytest.mark.parametrize("users", [True, False])
def test_20_000_failed_calls_are_each_reported(context, call, kinds, users):
    booking = ("Your flight is booked and confirmed. ", call("book_flight", error="no"))
    turns = [turn for _ in range(20_000) for turn in (*(["u Again"] if users else []), booking)]

    found = kinds(check_recovery(context(*turns)))

    assert found == ["result_contradicted"] * 20_000


def test_a_megabyte_of_half_claims_is_read(context, call, kinds):
    for part in ("i booked ", "is now just been ", "all set, ", "it is confirmed if ", ". ", "don't "):
        found = kinds(check_recovery(failing(context, call, part * (1_000_000 // len(part)))))

        assert len(found) <= 1
