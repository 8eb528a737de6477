"""Did the agent act against a preference the user had stated?

Only recommendations, confirmations and calls that change something count, and only words that decide it. In doubt
(negations, substitutes, a user who relents) nothing is reported, because the issue is critical.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from healing_eval.domain.conversation import ToolCall
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.context import Context, Said
from healing_eval.evaluators.coherence.foods import DAIRY, GLUTEN, PLANT_MILKS_AND_FLOURS, SUBSTITUTES
from healing_eval.evaluators.coherence.stated import Preference, stated_in, takes_back
from healing_eval.evaluators.values.dates import find_times
from healing_eval.evaluators.values.text import holds_any

# fmt: off
_RECOMMENDS = (
    "recommend", "suggest", "how about", "what about", "you could try", "you should try", "try the", "try our",
    "i've ordered", "i have ordered", "i ordered", "ordered the", "ordered a", "ordered you", "order is placed",
    "order for", "i've placed", "i have placed", "placed your order", "added", "i've booked", "i have booked",
    "booked you", "you'll love", "you will love", "great choice", "i've reserved", "i have reserved", "reserved you",
    "assigned", "your order of", "confirmed",
)
_HEDGES = frozenset({
    "no", "not", "without", "never", "avoid", "avoids", "avoiding", "free", "instead", "except", "don't", "can't",
    "cannot", "isn't", "aren't", "won't", "contains", "unless", "unfortunately", "sorry", "excluding", "exclude",
    "removed", "remove", "replace", "replaced", "swap", "swapped", "rather", "unsuitable", "omit", "omitted", "if",
    "or", "other", "others", "friend", "guest", "wife", "husband", "partner", "however", "but", "although", "whether",
    "wouldn't", "doesn't", "haven't", "hold", "minus", "non", "nor", "cancelled", "canceled",
})
_ACTS = (
    "order", "book", "reserve", "place", "add", "create", "submit", "buy", "purchase", "checkout", "update", "select",
    "choose", "confirm", "schedule",
)
_LOOKS_UP = frozenset({
    "get", "find", "search", "list", "track", "lookup", "check", "cancel", "view", "show", "read", "remove", "delete",
})
_KEEPS = frozenset({"update", "verify", "change", "set", "validate", "add", "history", "log"})
_NOTES = (
    "note", "instruction", "request", "exclu", "without", "remov", "allerg", "diet", "prefer", "restrict", "comment",
    "reason", "query", "avoid", "message", "address", "street", "name_of_guest", "substitut", "restaurant", "venue",
    "store", "city", "user", "customer", "email",
)
# fmt: on
_SPLIT_NAME = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_MONEY = re.compile(r"[$€£][ ]?(\d{1,6}(?:,\d{3})*(?:\.\d{1,2})?)")
_STOPS = re.compile(r"\b(?:one|two|1|2)[- ]stops?\b|\blayovers?\b|\bstopovers?\b|\bconnecting flights?\b")
_SEND = {
    "call": (
        "i'll call you",
        "i will call you",
        "i have called you",
        "i called you",
        "we will call you",
        "we'll call you",
        "will give you a call",
    ),
    "email": (
        "i'll email you",
        "i will email you",
        "i've emailed you",
        "i have emailed you",
        "sent you an email",
        "send you an email",
    ),
    "text": ("i'll text you", "i will text you", "i've texted you", "sent you a text", "send you a text"),
}
_MAX_PARAMETER_VALUES = 100
_MAX_VALUE_CHARACTERS = 500


def check(context: Context) -> Iterator[Issue]:
    """Follow the conversation, keep what was stated and not taken back, and look at each act of the agent."""
    statements = {said.index: found for said in context.by_user if (found := stated_in(said))}
    if not statements:
        return
    stated: dict[str, Preference] = {}
    reported: set[str] = set()
    texts = {said.index: said for said in context.said}
    for index, turn in enumerate(context.conversation.turns):
        said = texts.get(index)
        if turn.role == "user" and said:
            stated = {name: kept for name, kept in stated.items() if not takes_back(said, kept)}
            stated.update({one.name: one for one in statements.get(index, ())})
        elif turn.role == "assistant":
            for preference in stated.values():
                if preference.name in reported:
                    continue
                found = _violation(said, turn.tool_calls, preference)
                if found:
                    reported.add(preference.name)
                    evidence, call, argument = found
                    yield issue(
                        "preference_violated",
                        f"The user had said {preference.name!r}, and the agent acted against it: {evidence!r}.",
                        turn_id=turn.turn_id,
                        tool_name=call.tool_name if call else None,
                        argument=argument,
                        evidence=evidence,
                        detail=preference.kind,
                    )


Found = tuple[str, ToolCall | None, str | None]


def _violation(said: Said | None, calls: tuple[ToolCall, ...], preference: Preference) -> Found | None:
    for call in calls:
        name_words = _name_words(call.tool_name)
        if preference.kind == "contact":
            if not preference.forbidden.isdisjoint(name_words) and name_words.isdisjoint(_LOOKS_UP | _KEEPS):
                return call.tool_name, call, None
        elif _acts(name_words):
            for path, key, value in _values(call.parameters):
                if _value_violates(key, value, preference):
                    return str(value)[:200], call, path
    return _said_violation(said, preference) if said else None


def _name_words(name: str) -> frozenset[str]:
    return frozenset(part.lower() for part in _SPLIT_NAME.findall(name[:200]))


def _acts(name_words: frozenset[str]) -> bool:
    return not name_words.isdisjoint(_ACTS) and name_words.isdisjoint(_LOOKS_UP)


def _values(parameters: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Give each scalar of the parameters with its JSON Pointer and the nearest name, notes and free texts left out."""
    pending: list[tuple[str, str, Any]] = [
        (f"/{_escaped(name)}", name.lower(), value) for name, value in parameters.items()
    ]
    for _ in range(_MAX_PARAMETER_VALUES):
        if not pending:
            return
        path, key, value = pending.pop()
        if holds_any(key, _NOTES):
            continue
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            pending.extend((f"{path}/{_escaped(name)}", name.lower(), one) for name, one in inner.items())
        elif isinstance(value, list):
            pending.extend((f"{path}/{place}", key, one) for place, one in enumerate(cast("list[Any]", value)[:20]))
        else:
            yield path, key, value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _value_violates(key: str, value: Any, preference: Preference) -> bool:
    if isinstance(value, str):
        return _text_value_violates(key, value[:_MAX_VALUE_CHARACTERS].lower(), preference)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if preference.kind == "stops":
        return any(part in key for part in ("stops", "layover", "connections")) and value > 0
    return (
        preference.kind == "budget"
        and key in ("price", "cost", "fare", "max_price", "amount")
        and value > preference.bound
    )


def _text_value_violates(key: str, text: str, preference: Preference) -> bool:
    kind = preference.kind
    if kind == "food":
        return _names(frozenset(re.findall(r"[a-z][a-z-]*", text)), preference)
    if kind == "seat":
        return "seat" in key and any(word in text for word in preference.forbidden)
    if (
        kind in ("earliest", "latest")
        and "time" in key
        and not any(part in key for part in ("arriv", "end", "created"))
    ):
        times = {found.minutes for found in find_times(text)}
        if len(times) != 1:
            return False
        minutes = times.pop()
        return minutes < preference.bound if kind == "earliest" else minutes > preference.bound
    return False


def _names(words: frozenset[str], preference: Preference) -> bool:
    """Whether words name a forbidden food and nothing that makes it a permitted one."""
    named = words & preference.forbidden
    if not named or not words.isdisjoint(_HEDGES) or not words.isdisjoint(SUBSTITUTES - preference.forbidden):
        return False
    return not (named <= DAIRY | GLUTEN) or words.isdisjoint(PLANT_MILKS_AND_FLOURS - preference.forbidden)


def _said_violation(said: Said, preference: Preference) -> Found | None:
    if preference.kind == "contact":
        phrases = [phrase for word in preference.forbidden for phrase in _SEND.get(word, ())]
        hit = next((phrase for phrase in phrases if phrase in said.lowered), None)
        return (hit, None, None) if hit else None
    for sentence in said.sentences:
        if holds_any(sentence, _RECOMMENDS) and _sentence_violates(sentence, preference):
            return sentence.strip()[:200], None, None
    return None


def _sentence_violates(sentence: str, preference: Preference) -> bool:
    words = frozenset(re.findall(r"[a-z][a-z'-]*", sentence))
    if preference.kind == "food":
        return _names(words, preference)
    if not words.isdisjoint(_HEDGES):
        return False
    if preference.kind == "stops":
        return _STOPS.search(sentence) is not None
    if preference.kind == "seat":
        wanted = preference.name.split()[0]
        return wanted not in words and any(f"{word} seat" in sentence for word in preference.forbidden)
    if preference.kind == "budget" and "total" not in words and "recommend" in sentence:
        amounts = [float(match[1].replace(",", "")) for match in _MONEY.finditer(sentence)]
        return len(amounts) == 1 and amounts[0] > preference.bound
    return False
