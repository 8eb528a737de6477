"""Which preferences did the user state, and did they take them back?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from healing_eval.evaluators.coherence.context import Said
from healing_eval.evaluators.coherence.foods import DIETS, FOODS, GROUPS
from healing_eval.evaluators.values.dates import find_times
from healing_eval.evaluators.values.text import holds_any


class Preference(msgspec.Struct, frozen=True):
    """One thing the user wants, in a form that can be decided."""

    kind: str
    """food, contact, stops, seat, budget, earliest or latest."""
    name: str
    """As people name it: "vegetarian", "no pork", "no calls"."""
    forbidden: frozenset[str] = frozenset()
    """Words of what is not wanted (food, contact, seat)."""
    bound: float = 0.0
    """Largest amount (budget), or minutes since midnight (earliest, latest)."""


# fmt: off
_I_AM = re.compile(
    r"\b(?:i am|i'm|im|we are|we're|i've been|i have been|my \w{2,12} is|she is|she's|he is|he's)[ ](?:(?:a|an"
    r"|strict|strictly|also|both|now|all|actually|lifelong)[ ]){0,3}\Z"
)
_I_AM_ENDS = (
    "am ", "'m ", "im ", "are ", "'re ", "been ", "is ", "'s ", "a ", "an ", "strict ", "strictly ", "also ", "both ",
    "now ", "all ", "actually ", "lifelong ",
)
"""What leads to a diet's name ends in one of these; a look at the end passes most names over."""
_I_EAT = re.compile(
    r"\b(?:i|we)[ ](?:follow|keep|eat|only eat|need|stick to)[ ](?:(?:a|an|only|strictly|strict)[ ]){0,2}\Z"
)
_I_EAT_ENDS = ("follow ", "keep ", "eat ", "need ", "to ", "a ", "an ", "only ", "strictly ", "strict ")
_NOT_EAT = re.compile(
    r"\b(?:i|we)[ ](?:don't|do not|can't|cannot|can not|never|won't)[ ](?:(?:ever|really)[ ])?(?:eat|have|drink"
    r"|tolerate)[ ](?:any[ ])?([a-z]+)(?:[ ](?:or|and)[ ]([a-z]+))?"
)
_ALLERGIC = re.compile(r"(?<!not )\b(?:allergic|intolerant)[ ]to[ ]([a-z]+)(?:(?:,| or| and)[ ]([a-z]+))?")
_ALLERGY = re.compile(
    r"\b(?:have|has|with|got|severe|bad)[ ](?:a[ ])?(?:(?:severe|bad|serious)[ ])?([a-z]+)[ ](?:allergy"
    r"|intolerance)"
)
_NO_FOOD = re.compile(
    r"(?<!have )(?<!got )(?<!is )(?<!are )(?<!was )(?<!'s )\b(?:no|without|hold the|leave out the)[ ](?:any[ ]"
    r")?([a-z]+)(?:[ ](?:or|and)[ ](?:no[ ])?([a-z]+))?"
)
_FREE = re.compile(r"\b(gluten|dairy|nut|lactose|egg)[- ]free\b")
_NO_CONTACT = re.compile(
    r"\b(?:don't|do not|never|please don't|stop)[ ](?:ever[ ])?(call|calling|phone|phoning|email|e-mail"
    r"|emailing|text|texting)[ ](?:me|us)\b"
)
_NONSTOP = re.compile(
    r"\b(?:only|just|must be)[ ](?:want[ ]|take[ ]|book[ ]|fly[ ])?(?:a[ ])?(?:non-?stop|direct)\b"
    r"|\b(?:non-?stop|direct)[ ](?:flights?[ ])?only\b|\bno (?:layovers|stopovers|connections|stops)\b"
)
_SEAT = re.compile(
    r"\b(?:want|prefer|need|would like|i'd like|only|must have|get me)[ ](?:(?:a|an|the|to|have|sit|in|only"
    r"|get)[ ]){0,4}(window|aisle)(?:[ ]seats?)?\b"
)
_BUDGET = re.compile(
    r"\b(?:under|below|less than|no more than|not more than|at most|maximum of|max|up to|cheaper than|budget is"
    r"|budget of)[ ](?:about[ ])?[$€£][ ]?(\d{1,6}(?:,\d{3})?(?:\.\d{1,2})?)(?![\d,])"
)
_EARLIEST = re.compile(
    r"\b(?:not before|no earlier than|nothing before|don't want to \w{2,10} before|only after|must be after"
    r"|anytime after|any time after)\b"
)
_LATEST = re.compile(
    r"\b(?:not after|no later than|nothing after|must be before|only before|don't want to \w{2,10} after)\b"
)
_RELENTS = re.compile(
    r"\b(?:is|are|would be|'s|works)[ ](?:also[ ]|actually[ ]|totally[ ])?(?:fine|ok|okay|good|great|alright"
    r"|all right|acceptable)\b|\bi (?:do|can|will|now|also)(?: now)? eat\b|\bfor my (?:friend|guest|wife"
    r"|husband|partner|son|daughter|kids?|mother|father)\b|\bi'?ll (?:have|take) the\b|\b(?:you can|please"
    r"|go ahead and) (?:call|phone|email|e-mail|text)\b|\bdon't mind\b|\bnot (?:a )?(?:vegetarian|vegan)\b"
    r"|\bno longer\b"
)
# fmt: on
_CONTACT_WORDS = {
    "call": frozenset({"call"}),
    "phon": frozenset({"call"}),
    "emai": frozenset({"email"}),
    "e-ma": frozenset({"email"}),
    "text": frozenset({"sms", "text"}),
}
_WAKE_WORDS = frozenset(
    {
        "eat",
        "vegan",
        "vegetarian",
        "vegans",
        "vegetarians",
        "pescatarian",
        "allergic",
        "allergy",
        "intolerant",
        "intolerance",
    }
)
_DIET_NAMES = DIETS.keys() - {"veggie"} | {"vegetarians", "vegans", "pescatarians"}
_FOOD_WORDS = FOODS | frozenset(GROUPS) | frozenset(DIETS) | _DIET_NAMES
_GROUP_NAMES = frozenset(GROUPS)
_REFUSES = frozenset({"no", "not", "don't", "can't", "cannot", "never", "without", "why"})
_FOR_OTHERS = frozenset(
    {"but", "husband", "wife", "friend", "friends", "partner", "son", "daughter", "mother", "father"}
)
"""Words by which a dish named beside a diet may be for somebody else."""
_CONTACTS = frozenset({"call", "calling", "phone", "phoning", "email", "emailing", "text", "texting", "e"})
_STOP_WORDS = frozenset({"nonstop", "non", "direct", "layovers", "stopovers", "connections", "stops"})
_SEATS = frozenset({"window", "aisle"})
_BOUNDS = frozenset({"before", "after", "than"})
_BOUND_LEADS = frozenset({"not", "earlier", "later", "nothing", "want", "only", "must", "anytime", "time"})
"""One of these stands before every bound."""
_TELLING = _FOOD_WORDS | _CONTACTS | _STOP_WORDS | _SEATS
"""Every statement but a budget and a bound in time has one of these words."""
_NEVERS = frozenset({"don't", "not", "can't", "cannot", "never", "won't"})
_ALLERGIC_WORDS = frozenset({"allergic", "intolerant"})
_ALLERGY_WORDS = frozenset({"allergy", "intolerance"})
_LEAVES_OUT = frozenset({"no", "without", "hold", "leave"})
_KEPT_ONLY = frozenset({"halal", "kosher"})
_KEPT = _KEPT_ONLY | {"vegetarian", "vegan", "pescatarian"}
"""Diets as one says to keep or eat; one is neither "halal" nor keeps "coeliac"."""
_LEAD = 64
"""What leads to a diet's name is shorter than this."""
_CURRENCIES = "$€£"


def stated_in(said: Said) -> list[Preference]:
    """Give the preferences a user turn states. A look at its words passes most turns over."""
    words = said.word_set
    telling = words & _TELLING
    found = list(_stated(said, telling)) if telling else []
    if holds_any(said.text, _CURRENCIES):
        found.extend(_budgets(said))
    if not words.isdisjoint(_BOUNDS) and not words.isdisjoint(_BOUND_LEADS):
        found.extend(_bounds(said))
    return found


def _stated(said: Said, telling: frozenset[str]) -> Iterator[Preference]:
    text = said.lowered
    if not telling.isdisjoint(_FOOD_WORDS):
        yield from (one for one in _foods(said) if not _for_others(one, said))
    if not telling.isdisjoint(_CONTACTS):
        for match in _NO_CONTACT.finditer(text):
            yield Preference("contact", f"do not {match[1]}", _CONTACT_WORDS[match[1][:4]])
    if not telling.isdisjoint(_STOP_WORDS) and _NONSTOP.search(text):
        yield Preference("stops", "non-stop only")
    if not telling.isdisjoint(_SEATS):
        for match in _SEAT.finditer(text):
            yield Preference("seat", f"{match[1]} seat", frozenset({"window", "aisle", "middle"}) - {match[1]})


def takes_back(said: Said, preference: Preference) -> bool:
    """Whether a later user turn may have lifted a preference; in doubt it has."""
    text = said.lowered
    if preference.kind in ("earliest", "latest"):
        return bool(find_times(text))
    if preference.kind == "budget":
        return holds_any(text, _CURRENCIES) or _RELENTS.search(text) is not None
    wants = preference.forbidden - _GROUP_NAMES
    if preference.kind == "food" and said.word_set.isdisjoint(_REFUSES) and not said.word_set.isdisjoint(wants):
        return True
    return _RELENTS.search(text) is not None and (
        preference.kind != "food" or not said.word_set.isdisjoint(preference.forbidden | _WAKE_WORDS)
    )


def _foods(said: Said) -> Iterator[Preference]:
    text = said.lowered
    if not said.word_set.isdisjoint(_DIET_NAMES):
        yield from _diets(said)
    for pattern in _food_patterns(said):
        for match in pattern.finditer(text):
            for word in match.groups():
                if word in GROUPS or word in FOODS:
                    yield Preference("food", f"no {word}", GROUPS.get(word, frozenset({word})))
    if "free" in text and "?" not in text:  # who asks whether something is gluten-free need not avoid gluten
        for match in _FREE.finditer(text):
            yield Preference("food", f"{match[1]}-free", GROUPS[match[1]])


def _diets(said: Said) -> Iterator[Preference]:
    """Look for a diet's name first, and then at what leads to it: the names are rare, what leads to them is not."""
    named = [(name, said.lowered[max(0, start - _LEAD) : start]) for start, name in sorted(_diet_names(said))]
    for name, lead in named:
        if name not in _KEPT_ONLY and lead.endswith(_I_AM_ENDS) and _I_AM.search(lead):
            diet = name.rstrip("s")
            yield Preference("food", diet, DIETS[diet])
    for name, lead in named:
        if name in _KEPT and lead.endswith(_I_EAT_ENDS) and _I_EAT.search(lead):
            yield Preference("food", name, DIETS[name])


def _diet_names(said: Said) -> Iterator[tuple[int, str]]:
    """Give each place where a diet's name ends a word, and the name."""
    text = said.lowered
    for name in said.word_set & _DIET_NAMES:
        start = text.find(name)
        while start >= 0:
            end = start + len(name)
            if not text[end : end + 1].isalnum():
                yield start, name
            start = text.find(name, end)


def _food_patterns(said: Said) -> Iterator[re.Pattern[str]]:
    """Give the patterns that can match, as a cheap look at the words tells."""
    if not said.word_set.isdisjoint(_NEVERS):
        yield _NOT_EAT
    if not said.word_set.isdisjoint(_ALLERGIC_WORDS):
        yield _ALLERGIC
    if not said.word_set.isdisjoint(_ALLERGY_WORDS):
        yield _ALLERGY
    if not said.word_set.isdisjoint(_LEAVES_OUT):
        yield _NO_FOOD


def _for_others(preference: Preference, said: Said) -> bool:
    dishes = preference.forbidden - _GROUP_NAMES
    return not said.word_set.isdisjoint(_FOR_OTHERS) and not said.word_set.isdisjoint(dishes)


def _budgets(said: Said) -> Iterator[Preference]:
    for match in _BUDGET.finditer(said.lowered):
        yield Preference("budget", f"at most {match[1]}", bound=float(match[1].replace(",", "")))


def _bounds(said: Said) -> Iterator[Preference]:
    text = said.lowered
    for pattern, kind in ((_EARLIEST, "earliest"), (_LATEST, "latest")):
        for match in pattern.finditer(text):
            times = {found.minutes for found in find_times(text[match.end() : match.end() + 20])}
            if len(times) == 1:
                yield Preference(kind, text[match.start() : match.end() + 12].strip(), bound=float(times.pop()))
