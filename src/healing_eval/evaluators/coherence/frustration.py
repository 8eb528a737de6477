"""How dissatisfied is the user, and where did they have to say it again?

A hand rule: each sign adds or takes points, and the sum becomes a risk in [0, 1]. The signs are general English; the
points are round numbers set by hand, so the risk orders turns and is no calibrated probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import msgspec
from rapidfuzz import fuzz

from healing_eval.domain.conversation import Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.context import Context, Said
from healing_eval.evaluators.coherence.signs import AGREEMENT, THANKS, Sign, signs_of_reply, signs_of_user

BASELINE = -2.5
"""Points of a turn without any sign: a risk of 8 %."""
COMPARED_TURNS = 4
COMPARED_CHARACTERS = 400
MIN_WORDS_TO_COMPARE = 4
MIN_WORDS_OF_REPHRASING = 6
SAME = 90
"""Similarity from which a turn repeats another."""
WORTH_COMPARING = 50
"""Similarities below this come out as 0, which is all that is asked and costs less."""
SHARED_WORDS = 0.7
"""Share of the shorter turn's words that the longer must hold to be compared letter by letter, which is costly."""
CARRIED_OVER = 0.25
"""Share of an earlier turn's trouble that still weighs on the next."""
OPEN_SIGNS = frozenset({"asks for a person", "says so openly", "already said it", "shouts"})
"""Signs that are dissatisfaction by themselves; the others only make it likelier."""

_SAYS_IT_AGAIN = Sign("says it again", 1.0)
_AGENT_REPEATS = Sign("the agent repeats itself", 0.7)


class Risk(msgspec.Struct, frozen=True):
    """How likely a user turn is to be a dissatisfied one."""

    turn: Turn
    value: float
    """In [0, 1], 1 worst; orders turns, not a probability."""
    reasons: tuple[str, ...]
    """Up to three, the weightiest first."""
    open: bool = False
    """Whether the user says it outright."""
    again: bool = False
    """Whether the turn says what one of the few before it said."""


def frustration_risk(context: Context) -> list[Risk]:
    """Give the risk of each user turn with text, in order."""
    return context.once(_measure)


def _measure(context: Context) -> list[Risk]:
    risks: list[Risk] = []
    reply: Said | None = None
    carried = 0.0
    earlier: list[Said] = []
    replies: list[Said] = []
    for said in context.said:
        if said.turn.role == "assistant":
            reply = said
            replies.append(said)
            continue
        signs = signs_of_user(said)
        if reply:
            signs += signs_of_reply(reply)
        signs += _repetition(said, earlier, replies)
        points = sum([sign.points for sign in signs])
        risks.append(_risk(said.turn, signs, points + carried))
        carried = CARRIED_OVER * max(0.0, min(4.0, points + carried))
        earlier.append(said)
        reply = None
    return risks


def _risk(turn: Turn, signs: list[Sign], points: float) -> Risk:
    value = 1.0 / (1.0 + math.exp(-(BASELINE + max(-8.0, min(8.0, points)))))
    weighty = [sign for sign in signs if sign.points > 0] if signs else signs
    if not weighty:
        return Risk(turn, value, ())
    weighty.sort(key=lambda sign: -sign.points)
    reasons = tuple(sign.reason for sign in weighty[:3])
    return Risk(turn, value, reasons, any(sign.reason in OPEN_SIGNS for sign in weighty), _SAYS_IT_AGAIN in signs)


def _repetition(said: Said, earlier: list[Said], replies: list[Said]) -> list[Sign]:
    signs: list[Sign] = []
    if _repeats(said, earlier[-COMPARED_TURNS:]):
        signs.append(_SAYS_IT_AGAIN)
    if len(replies) >= 2 and len(replies[-1].text) >= 12 and _repeats(replies[-1], replies[-2:-1]):
        signs.append(_AGENT_REPEATS)
    return signs


def _repeats(said: Said, others: list[Said]) -> bool:
    """Whether a turn says again what one of the others said."""
    if len(said.words) < MIN_WORDS_TO_COMPARE:
        return False
    words, count = said.word_set, len(said.word_set)
    for other in others:  # not by `_share_words`, because this is where time goes
        other_words = other.word_set
        other_count = len(other_words)
        smaller = count if count < other_count else other_count
        if len(words & other_words) >= SHARED_WORDS * smaller and _similarity(said, other) >= SAME:
            return True
    return False


def _similarity(one: Said, other: Said) -> float:
    """Compare two turns by their words, in [0, 100]; too few words, or too few shared ones, compare as 0."""
    if len(one.words) < MIN_WORDS_TO_COMPARE or len(other.words) < MIN_WORDS_TO_COMPARE:
        return 0.0
    if not _share_words(one.word_set, other.word_set):
        return 0.0
    return fuzz.token_set_ratio(
        one.lowered[:COMPARED_CHARACTERS], other.lowered[:COMPARED_CHARACTERS], score_cutoff=WORTH_COMPARING
    )


def _share_words(one: frozenset[str], other: frozenset[str]) -> bool:
    smaller = len(one) if len(one) < len(other) else len(other)
    return len(one & other) >= SHARED_WORDS * smaller


def check(context: Context) -> Iterator[Issue]:
    """Report turns whose risk is high and that say so outright, and what had to be said again."""
    yield from _check_risks(context)
    yield from _check_rephrasing(context)


def _check_risks(context: Context) -> Iterator[Issue]:
    for risk in frustration_risk(context):
        if risk.open and risk.value >= context.options.frustration_threshold:
            yield issue(
                "user_frustration",
                f"The user shows dissatisfaction: {', '.join(risk.reasons)}.",
                turn_id=risk.turn.turn_id,
                evidence=risk.turn.content,
                detail=risk.reasons[0],
            )


def _check_rephrasing(context: Context) -> Iterator[Issue]:
    threshold = context.options.rephrasing_threshold
    only_repeated = threshold >= SAME
    for (earlier, later), risk in zip(pairwise(context.by_user), frustration_risk(context)[1:], strict=True):
        if only_repeated and not risk.again:
            continue
        if later.index - earlier.index < 2 or not _equally_long(earlier, later):
            continue
        if later.words[0] in AGREEMENT or not later.word_set.isdisjoint(THANKS):
            continue
        if _similarity(later, earlier) >= threshold:
            yield issue(
                "user_rephrasing",
                "The user had to say the same thing again.",
                turn_id=later.turn.turn_id,
                evidence=later.text,
            )


def _equally_long(one: Said, other: Said) -> bool:
    """Whether both are long enough and neither says much more than the other: who adds something does not repeat."""
    short, long = sorted((len(one.words), len(other.words)))
    return short >= MIN_WORDS_OF_REPHRASING and short >= 0.7 * long
