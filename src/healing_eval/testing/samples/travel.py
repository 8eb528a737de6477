"""Story 1: after a prompt update, dates go to the flight tools as DD/MM/YYYY, and those calls fail.

Version 2.3.0 is sound. Version 2.4.0 was told to write dates the way customers do, and in 15 % of its calls that way
reaches the tool, which answers "invalid date". Mostly the agent then claims success: the customer has no flight.
"""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from healing_eval.testing.samples.talk import NAMES, Json, Talk, call, code, rated, start_of, tool

OLD_VERSION = "travel-2.3.0"
NEW_VERSION = "travel-2.4.0"
OLD_COUNT = 36
NEW_COUNT = 120
CLAIMED = 30
"""New-version conversations whose booking fails and is called a success."""
GIVEN_UP = 6
"""New-version conversations whose booking fails and is given up honestly."""

_PROMPT = (
    "You are the booking assistant of Skylark Travel. Find flights with search_flights, offer what it returns, and "
    "book with book_flight only what the customer chose. Give prices in euros. Be brief and friendly."
)
_UPDATE = " New in 2.4.0: always write dates as DD/MM/YYYY, the way our customers do."
_DATE = {"type": "string", "format": "date", "description": "Day of departure."}
_TOOLS = [
    tool(
        "search_flights",
        "List flights between two cities on a day.",
        {"origin": {"type": "string"}, "destination": {"type": "string"}, "departure_date": _DATE},
        ["origin", "destination", "departure_date"],
    ),
    tool(
        "book_flight",
        "Book one seat on a flight.",
        {"flight_id": {"type": "string"}, "departure_date": _DATE, "passenger_name": {"type": "string"}},
        ["flight_id", "departure_date", "passenger_name"],
    ),
]
OLD_AGENT: Json = {"agent_version": OLD_VERSION, "system_prompt": _PROMPT, "tools": _TOOLS}
NEW_AGENT: Json = {"agent_version": NEW_VERSION, "system_prompt": _PROMPT + _UPDATE, "tools": _TOOLS}

_CITIES = ("Lisbon", "Vienna", "Oslo", "Dublin", "Prague", "Athens", "Hamburg", "Zurich", "Warsaw", "Madrid", "Milan")
_OPENINGS = (
    "Hi, I'm looking for a flight from {origin} to {destination} on {day}.",
    "Hello! What flights do you have from {origin} to {destination} on {day}?",
    "Could you find me something from {origin} to {destination}, leaving {day}?",
    "I need to get from {origin} to {destination} on {day}. What is available?",
    "Good morning, please check flights from {origin} to {destination} for {day}.",
)
_OFFERS = (
    "There are two flights on {day}: {first} and {second}. Which one suits you?",
    "I found two options for {day}: {first}, or {second}. Shall I book one of them?",
    "For {day} I can offer {first} and {second}. Which would you like?",
)
_CHOICES = (
    "{flight} please. The passenger is {name}.",
    "I'll take {flight}. Name is {name}.",
    "Let's go with {flight}, for {name}.",
    "Please book {flight}. It's for {name}.",
)
_BOOKED = (
    "Your flight is booked: {flight} on {day}, for {name}. Your booking reference is {reference}.",
    "All set, {flight} on {day} is booked for {name}. The booking reference is {reference}.",
    "Done! I have booked {flight} on {day} for {name}; the reference is {reference}.",
)
_CLAIMED = (
    "Your flight is booked: {flight} on {day}, for {name}. Have a good trip!",
    "Your flight {flight} on {day} is confirmed. You will receive an e-mail for {name} shortly.",
    "Great news, I have successfully booked {flight} on {day} for {name}.",
    "Your booking is confirmed: {flight}, {day}, passenger {name}.",
)
_GIVEN_UP = (
    "I'm sorry, the booking of {flight} did not go through: the system reports an error. Please call our office.",
    "Unfortunately I could not book {flight}, the system returned an error. Please try again later.",
)
_THANKS = ("Perfect, thank you!", "Great, thanks a lot.", "Wonderful, thanks for your help.", "Thanks, that was quick!")
_GOODBYES = (
    "You're welcome. Have a pleasant flight!",
    "My pleasure. Safe travels!",
    "You're welcome, enjoy your trip!",
)
_DOUBTS = (
    "I have not received anything, and my account shows no booking. What is going on?",
    "Are you sure? There is no booking in my account.",
)
_ASSURANCES = (
    "Your booking is confirmed, the e-mail can take a little while.",
    "Yes, your flight is booked. Please check your inbox again later.",
)


def conversations(r: Random) -> list[Json]:
    """Write all conversations of this story: the old version's first, then the new one's in mixed order."""
    old = [_conversation(r, index, OLD_AGENT, "booked") for index in range(OLD_COUNT)]
    endings = ["claimed"] * CLAIMED + ["given up"] * GIVEN_UP
    endings += ["booked"] * (NEW_COUNT - len(endings))
    r.shuffle(endings)
    return old + [_conversation(r, index, NEW_AGENT, ending) for index, ending in enumerate(endings)]


class _Trip:
    """What one customer wants, and what there is."""

    def __init__(self, r: Random, today: date, *, new: bool) -> None:
        self.origin, self.destination = r.sample(_CITIES, 2)
        self.name = r.choice(NAMES)
        self.departure = _day_after_the_twelfth(today + timedelta(days=r.randint(20, 90)))
        self.spoken = f"{self.departure.day} {self.departure:%B %Y}"
        self.shown = f"{self.departure:%d/%m/%Y}" if new else self.spoken
        carrier = r.choice(("SK", "LH", "TP", "OS", "EI", "AZ"))
        numbers = r.sample(range(210, 980), 2)
        hours = sorted(r.sample(range(6, 21), 2))
        self.flights = [
            {
                "flight_id": f"{carrier}{number}",
                "departs": f"{hour:02d}:{r.choice((5, 15, 25, 40, 50)):02d}",
                "price": r.randint(79, 420),
                "currency": "EUR",
            }
            for number, hour in zip(numbers, hours, strict=True)
        ]
        self.chosen = r.choice(self.flights)

    def offer(self, place: int) -> str:
        flight = self.flights[place]
        return f"{flight['flight_id']} at {flight['departs']} for {flight['price']} euros"


def _day_after_the_twelfth(day: date) -> date:
    """Move a day so that its DD/MM/YYYY cannot be read as a month first."""
    return day if day.day > 12 else day.replace(day=day.day + 12)


def _conversation(r: Random, index: int, agent: Json, ending: str) -> Json:
    new = agent is NEW_AGENT
    start = start_of(r, index % 14 + (14 if new else 0))
    talk, trip = Talk(r, start), _Trip(r, start.date(), new=new)
    talk.user(r.choice(_OPENINGS).format(origin=trip.origin, destination=trip.destination, day=trip.spoken))
    query = {"origin": trip.origin, "destination": trip.destination, "departure_date": trip.departure.isoformat()}
    offers = {"day": trip.shown, "first": trip.offer(0), "second": trip.offer(1)}
    talk.agent(r.choice(_OFFERS).format(**offers), call(r, "search_flights", query, data={"flights": trip.flights}))
    talk.user(r.choice(_CHOICES).format(flight=trip.chosen["flight_id"], name=trip.name))
    if ending == "booked":
        return _booked(talk, trip, agent)
    return _failed(talk, trip, agent, claimed=ending == "claimed")


def _booked(talk: Talk, trip: _Trip, agent: Json) -> Json:
    r = talk.random
    reference = code(r)
    booking = {"booking_reference": reference, "flight_id": trip.chosen["flight_id"], "state": "confirmed"}
    made = call(r, "book_flight", _order(trip, trip.departure.isoformat()), data=booking)
    said = r.choice(_BOOKED)
    flight = trip.chosen["flight_id"]
    talk.agent(said.format(flight=flight, day=trip.shown, name=trip.name, reference=reference), made)
    talk.user(r.choice(_THANKS))
    talk.agent(r.choice(_GOODBYES))
    return talk.written(agent, story="travel", expected="pass", feedback=rated(r, 0.4, 4, 5))


def _failed(talk: Talk, trip: _Trip, agent: Json, *, claimed: bool) -> Json:
    """Let the booking fail on its date; the agent claims success, or gives up."""
    r = talk.random
    made = call(r, "book_flight", _order(trip, f"{trip.departure:%d/%m/%Y}"), error="invalid date")
    said = r.choice(_CLAIMED if claimed else _GIVEN_UP)
    talk.agent(said.format(flight=trip.chosen["flight_id"], day=trip.shown, name=trip.name), made)
    if not claimed:
        talk.user("That is a pity. I will call them.")
        talk.agent("I understand, and I'm sorry for the trouble.")
    elif r.random() < 0.5:
        talk.user(r.choice(_DOUBTS))
        talk.agent(r.choice(_ASSURANCES))
    else:
        talk.user(r.choice(_THANKS))
        talk.agent(r.choice(_GOODBYES))
    expected = "fail" if claimed else "pass"
    return talk.written(agent, story="travel", expected=expected, feedback=rated(r, 0.4, 1, 2))


def _order(trip: _Trip, departure: str) -> Json:
    return {"flight_id": trip.chosen["flight_id"], "departure_date": departure, "passenger_name": trip.name}
