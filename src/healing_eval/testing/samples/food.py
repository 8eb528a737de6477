"""Story 2: after turn 5 the agent forgets that the user is vegetarian."""

from __future__ import annotations

from random import Random

from healing_eval.testing.samples.talk import STREETS, Json, Talk, call, code, rated, start_of, tool

VERSION = "food-1.8.0"
FORGOTTEN = 28
"""Conversations in which the agent orders or recommends meat."""
REMEMBERED = 20
NO_PREFERENCE = 10

AGENT: Json = {
    "agent_version": VERSION,
    "system_prompt": (
        "You are the ordering assistant of Plateful. Find restaurants, show the menu, and order what the customer "
        "agrees to. Respect what customers tell you about their diet. Give prices in euros."
    ),
    "tools": [
        tool("search_restaurants", "List restaurants by cuisine.", {"cuisine": {"type": "string"}}, ["cuisine"]),
        tool("get_menu", "Show a restaurant's menu.", {"restaurant_id": {"type": "string"}}, ["restaurant_id"]),
        tool(
            "place_order",
            "Order dishes to an address.",
            {
                "restaurant_id": {"type": "string"},
                "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                "address": {"type": "string"},
            },
            ["restaurant_id", "items", "address"],
        ),
    ],
}

_CUISINES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "Indian": (
        ("Saffron House", "Taste of Kerala"),
        ("Palak Paneer", "Chana Masala", "Vegetable Biryani"),
        ("Chicken Tikka Masala", "Lamb Rogan Josh", "Mutton Curry"),
    ),
    "Italian": (
        ("Trattoria Bella", "Il Forno"),
        ("Margherita Pizza", "Mushroom Risotto", "Spinach Ravioli"),
        ("Beef Lasagne", "Chicken Parmigiana", "Bacon Carbonara"),
    ),
    "Mexican": (
        ("Casa Verde", "El Jardin"),
        ("Bean Burrito", "Cheese Quesadilla", "Grilled Corn Tacos"),
        ("Chicken Fajitas", "Beef Burrito", "Pork Carnitas Tacos"),
    ),
    "Thai": (
        ("Lotus Garden", "Bangkok Corner"),
        ("Tofu Pad Thai", "Green Vegetable Curry", "Papaya Salad"),
        ("Chicken Satay", "Beef Massaman Curry", "Pork Basil Stir Fry"),
    ),
}
_VEGETARIAN = (
    "I'm vegetarian and would like {cuisine} food tonight.",
    "Hi, I am a vegetarian. Can you find me a good {cuisine} place?",
    "I don't eat meat. Which {cuisine} restaurants deliver here?",
    "We are vegetarian at home, and we fancy {cuisine} tonight.",
    "I'm in the mood for {cuisine}. Just so you know, I'm a vegetarian.",
    "Hello, could you show me {cuisine} restaurants? I don't eat any meat or fish.",
)
_NEUTRAL = ("I'd like {cuisine} food tonight.", "Hi, can you find me a good {cuisine} place?")
_FOUND = (
    "I found {first} and {second}. Which one would you like?",
    "There are two {cuisine} restaurants nearby: {first} and {second}. Shall I open one of the menus?",
)
_PICKS = ("{name} sounds good. What do they have?", "Let's see the menu of {name}, please.", "{name}, please.")
_DISHES = (
    "At {name} you could have {dishes}.",
    "{name} has these for you: {dishes}.",
)
_FEE_QUESTIONS = ("How much is the delivery?", "What is the delivery fee?", "And what does delivery cost?")
_FEE_ANSWERS = ("Delivery costs {fee} euros.", "The delivery fee is {fee} euros.")
_SURPRISES = (
    "OK, choose a dish for me and order it to {address}.",
    "I can't decide. Pick one for me, please, and send it to {address}.",
    "Surprise me with a main course. My address is {address}.",
)
_ORDERED = (
    "I have ordered the {dish} to {address}. Your order number is {order}.",
    "Done, one {dish} is on its way to {address}. The order number is {order}.",
)
_RECOMMENDED = (
    "I recommend the {dish}, it is their most popular dish. Shall I order it?",
    "I would suggest the {dish}. Shall I send it to you?",
)
_COMPLAINTS = (
    "But I told you that I don't eat meat!",
    "No! I said at the beginning that I'm vegetarian.",
    "That has meat in it. I already told you I am vegetarian.",
)
_APOLOGIES = ("I'm sorry, you did say that.", "I apologise, I should have kept that in mind.")
_THANKS = ("Great, thanks!", "Thank you, that was easy.", "Lovely, thanks a lot.")
_ENJOYS = ("You're welcome. Enjoy your meal!", "My pleasure, enjoy!")


def conversations(r: Random) -> list[Json]:
    """Write all conversations of this story in mixed order."""
    kinds = ["forgotten"] * FORGOTTEN + ["remembered"] * REMEMBERED + ["no preference"] * NO_PREFERENCE
    r.shuffle(kinds)
    return [_conversation(r, index, kind) for index, kind in enumerate(kinds)]


class _Meal:
    """What one customer wants, and what there is."""

    def __init__(self, r: Random) -> None:
        self.cuisine = r.choice(list(_CUISINES))
        names, self.vegetarian, self.meat = _CUISINES[self.cuisine]
        self.restaurants = [{"restaurant_id": f"rest_{r.randint(1000, 9999)}", "name": name} for name in names]
        self.restaurant = r.choice(self.restaurants)
        self.fee = r.choice((2.5, 2.9, 3.5, 3.9))
        self.address = f"{r.randint(11, 98)} {r.choice(STREETS)}"

    def menu(self, r: Random) -> Json:
        dishes = [{"dish": dish, "price": r.randint(9, 18)} for dish in (*self.vegetarian, *self.meat)]
        r.shuffle(dishes)
        return {"name": self.restaurant["name"], "delivery_fee": self.fee, "dishes": dishes}


def _conversation(r: Random, index: int, kind: str) -> Json:
    talk, meal = Talk(r, start_of(r, index % 28)), _Meal(r)
    _choose_restaurant(talk, meal, _NEUTRAL if kind == "no preference" else _VEGETARIAN)
    talk.user(r.choice(_FEE_QUESTIONS))
    talk.agent(r.choice(_FEE_ANSWERS).format(fee=f"{meal.fee:.2f}"))
    talk.user(r.choice(_SURPRISES).format(address=meal.address))
    if kind == "forgotten":
        _forget(talk, meal)
        return talk.written(AGENT, story="food", expected="fail", feedback=rated(r, 0.5, 1, 2))
    _order(talk, meal, r.choice(meal.vegetarian))
    talk.user(r.choice(_THANKS))
    talk.agent(r.choice(_ENJOYS))
    return talk.written(AGENT, story="food", expected="pass", feedback=rated(r, 0.4, 4, 5))


def _choose_restaurant(talk: Talk, meal: _Meal, openings: tuple[str, ...]) -> None:
    r = talk.random
    talk.user(r.choice(openings).format(cuisine=meal.cuisine))
    first, second = (place["name"] for place in meal.restaurants)
    search = call(r, "search_restaurants", {"cuisine": meal.cuisine}, data={"restaurants": meal.restaurants})
    talk.agent(r.choice(_FOUND).format(first=first, second=second, cuisine=meal.cuisine), search)
    name = meal.restaurant["name"]
    talk.user(r.choice(_PICKS).format(name=name))
    menu = call(r, "get_menu", {"restaurant_id": meal.restaurant["restaurant_id"]}, data=meal.menu(r))
    dishes = ", ".join(meal.vegetarian[:-1]) + f" or {meal.vegetarian[-1]}"
    talk.agent(r.choice(_DISHES).format(name=name, dishes=dishes), menu)


def _forget(talk: Talk, meal: _Meal) -> None:
    """Order or recommend meat; some users notice."""
    r = talk.random
    dish = r.choice(meal.meat)
    if r.random() < 0.35:
        talk.agent(r.choice(_RECOMMENDED).format(dish=dish))
        talk.user(r.choice(_COMPLAINTS))
        talk.agent(r.choice(_APOLOGIES))
        return
    _order(talk, meal, dish)
    if r.random() < 0.5:
        talk.user(r.choice(_COMPLAINTS))
        talk.agent(r.choice(_APOLOGIES))
    else:
        talk.user(r.choice(_THANKS))
        talk.agent(r.choice(_ENJOYS))


def _order(talk: Talk, meal: _Meal, dish: str) -> None:
    r = talk.random
    number = code(r)
    parameters = {"restaurant_id": meal.restaurant["restaurant_id"], "items": [dish], "address": meal.address}
    placed = call(r, "place_order", parameters, data={"order_number": number, "items": [dish]})
    talk.agent(r.choice(_ORDERED).format(dish=dish, address=meal.address, order=number), placed)
