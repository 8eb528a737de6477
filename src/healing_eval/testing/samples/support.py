"""Story 3: two annotators disagree about helpfulness. And the small ones: single questions, and slow answers."""

from __future__ import annotations

from random import Random

from healing_eval.testing.samples.talk import NAMES, Json, Talk, call, rated, start_of, tool

VERSION = "support-1.2.0"
TALKS = 56
DOUBLY_ANNOTATED = 40
DISAGREEING = 20
SINGLE_QUESTIONS = 18
SLOW = 12

AGENT: Json = {
    "agent_version": VERSION,
    "system_prompt": (
        "You are the support assistant of Homeware Direct. Look orders up with get_order and open returns with "
        "start_return. Returns are free within 30 days. Be clear about what you can and cannot do."
    ),
    "tools": [
        tool("get_order", "Look up an order.", {"order_id": {"type": "string"}}, ["order_id"]),
        tool(
            "start_return",
            "Open a return for an order.",
            {"order_id": {"type": "string"}, "reason": {"type": "string"}},
            ["order_id", "reason"],
        ),
    ],
}

_ITEMS = ("desk lamp", "coffee grinder", "wool blanket", "kettle", "bookshelf", "cutting board", "bath mat", "toaster")
_PLACES = ("the sorting centre", "the local depot", "the carrier's hub")
_WHERE = (
    "Hello, this is {name}. Where is my order {order}?",
    "Hi, {name} here. My {item} has not arrived, the order is {order}.",
    "Could you tell me what is happening with order {order}? My name is {name}.",
)
_STATUS = (
    "Your {item} is at {place} and should arrive on {day} March 2026.",
    "I see that the {item} is at {place}. It is expected on {day} March 2026.",
)
_BROKEN = (
    "The {item} from order {order} arrived damaged. I would like to return it.",
    "Hi, my {item} arrived damaged, the order is {order}. Can I send it back?",
    "I want to return the {item} of order {order}, it arrived damaged.",
)
_RETURNED = (
    "I'm sorry about that. I have opened the return {number} for your {item}; sending it back is free.",
    "I'm sorry to hear it. The return {number} for the {item} is open, and it costs you nothing.",
)
_FOLLOW_UPS = ("How long does that take?", "When will I get my money back?", "And how long until the refund?")
_DURATIONS = (
    "The refund takes five working days once the parcel is back with us.",
    "Once we have the parcel, it takes five working days.",
)
_THANKS = ("Alright, thank you.", "Thanks for checking.", "Good to know, thanks.")
_GOODBYES = ("You're welcome. Have a nice day!", "You're welcome, take care!", "My pleasure. Goodbye!")
_QUESTIONS = (
    ("How many days do I have to return something?", "You have 30 days, and the return is free."),
    ("Are returns free?", "Yes, returns are free within 30 days."),
    ("Can you look up an order for me?", "Of course. Please give me the order number."),
    ("Can I return a lamp after two weeks?", "Yes, returns are free within 30 days, so two weeks is fine."),
    (
        "Do you sell gift cards?",
        "I can only help with orders and returns, so I cannot say. Our shop page lists gift cards.",
    ),
    (
        "Is there someone I can call?",
        "I can help here with orders and returns. For a call, please use the contact page.",
    ),
)


def conversations(r: Random) -> list[Json]:
    """Write all conversations of this story: the talks, the single questions, the slow ones."""
    talks = [_talk(r, index) for index in range(TALKS)]
    doubly = r.sample(range(TALKS), DOUBLY_ANNOTATED)
    for place, index in enumerate(doubly):
        feedback: Json = talks[index].setdefault("feedback", {})
        feedback["annotations"] = _annotations(r, disagree=place < DISAGREEING)
    singles = [_single(r, index) for index in range(SINGLE_QUESTIONS)]
    slow = [_talk(r, index, slow=True) for index in range(SLOW)]
    return talks + singles + slow


def _annotations(r: Random, *, disagree: bool) -> list[Json]:
    """Let both annotators answer the same question."""
    first = r.choice(("helpful", "unhelpful")) if disagree else r.choices(("helpful", "unhelpful"), (4, 1))[0]
    opposite = "unhelpful" if first == "helpful" else "helpful"
    labels = {"ann_01": first, "ann_02": opposite if disagree else first}
    return [
        {"type": "helpfulness", "label": label, "annotator_id": annotator, "confidence": r.choice((0.6, 0.7, 0.8, 0.9))}
        for annotator, label in labels.items()
    ]


def _talk(r: Random, index: int, *, slow: bool = False) -> Json:
    talk = Talk(r, start_of(r, index % 28))
    order, item = f"HD-{r.randint(100000, 999999)}", r.choice(_ITEMS)
    seconds = r.randint(14, 55) if slow else None
    if r.random() < 0.5:
        _ask_where(talk, order, item, seconds)
    else:
        _ask_return(talk, order, item, seconds)
    talk.user(r.choice(_THANKS))
    talk.agent(r.choice(_GOODBYES))
    feedback = rated(r, 0.5, 2, 4) if slow else rated(r, 0.3, 3, 5)
    return talk.written(AGENT, story="slow" if slow else "support", expected="pass", feedback=feedback)


def _ask_where(talk: Talk, order: str, item: str, seconds: int | None) -> None:
    r = talk.random
    place, day = r.choice(_PLACES), r.randint(14, 28)
    talk.user(r.choice(_WHERE).format(name=r.choice(NAMES), order=order, item=item))
    data = {"order_id": order, "item": item, "location": place, "expected_on": f"2026-03-{day}"}
    found = call(r, "get_order", {"order_id": order}, data=data)
    talk.agent(r.choice(_STATUS).format(item=item, place=place, day=day), found, seconds=seconds)


def _ask_return(talk: Talk, order: str, item: str, seconds: int | None) -> None:
    r = talk.random
    number = f"RT-{r.randint(100000, 999999)}"
    talk.user(r.choice(_BROKEN).format(order=order, item=item))
    parameters = {"order_id": order, "reason": "arrived damaged"}
    opened = call(r, "start_return", parameters, data={"return_number": number, "refund_working_days": 5})
    talk.agent(r.choice(_RETURNED).format(number=number, item=item), opened, seconds=seconds)
    talk.user(r.choice(_FOLLOW_UPS))
    talk.agent(r.choice(_DURATIONS))


def _single(r: Random, index: int) -> Json:
    talk = Talk(r, start_of(r, index % 28))
    question, answer = r.choice(_QUESTIONS)
    talk.user(question)
    talk.agent(answer)
    return talk.written(AGENT, story="single question", expected="pass", feedback=rated(r, 0.2, 4, 5))
