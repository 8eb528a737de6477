"""How sure was the model of its grades? By the probability it gave the token of each grade.

The protocol, without which such a number means nothing: the token in the model's own answer that holds the digit of a
criterion's `"score": N`; its context is the prompt and all of the answer before that token, so evidence and reason come
first and are given. Each token that the server lists for this place is read for the grade it would have given, however
it is cut (`4`, ` 4`, `": 4,`); probabilities of the same grade add up, and they are shared out over 0 to 5, since a
server may or may not have taken out beforehand what the schema forbids. What it does not list counts as 0. The
probabilities are those the server reports, at whatever temperature it does; uncalibrated, they order answers, and say
by themselves nothing of how often the grade is right.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import msgspec

from healing_eval.evaluators.judge.rubric import BEST_SCORE
from healing_eval.ports.chat_model import TokenLogprob

PROTOCOL = "score-token/1"
"""Raise the number whenever the same answer may be measured differently."""
LEAST_SEEN = 0.5
"""Where less than this lay on grades, the model was about to write something else, and the rest does not tell what."""
ROUNDING = 0.01
"""How far the probabilities of one place may add up to more than 1 for having been rounded."""

# In JSON a quote within a text has a backslash before it, so an unescaped `"score":` is a key, whatever is quoted.
_NAME = re.compile(r'(?<!\\)"name"\s*:\s*"([^"\\]*)"')
_SCORE = re.compile(rf'(?<!\\)"score"\s*:\s*(?:"?\s*([0-{BEST_SCORE}])(?![\d.eE]))?')
_GRADE_IN_TOKEN = re.compile(rf"(\D*)([0-{BEST_SCORE}])(?![\d.eE])")


class GradeConfidence(msgspec.Struct, frozen=True):
    """How sure the model was of one criterion's grade."""

    name: str
    grade: int
    """The one given, from 0 to 5."""
    probabilities: tuple[float, ...]
    """Of the grades 0 to 5; they add up to 1."""
    seen: float
    """How much of all probability lay on grades, before it was shared out; in [0.5, 1]."""

    @property
    def of_grade(self) -> float:
        """Probability of the grade given, in [0, 1]."""
        return self.probabilities[self.grade]

    @property
    def expected(self) -> float:
        """Mean of the grades by their probability, from 0 to 5."""
        return sum(grade * probability for grade, probability in enumerate(self.probabilities))


class Confidence(msgspec.Struct, frozen=True):
    """How sure the model was of its grades."""

    criteria: tuple[GradeConfidence, ...]
    """Those that could be measured, at least one, as they come in the answer."""
    protocol: str = PROTOCOL

    @property
    def value(self) -> float:
        """Mean over the criteria of the probability of the grade given, in [0, 1]."""
        return sum(one.of_grade for one in self.criteria) / len(self.criteria)


def confidence_from(text: str, token_logprobs: Sequence[TokenLogprob] | None) -> Confidence | None:
    """Measure how sure a model was of the grades it gave.

    Args:
        text: what the model said. Of a criterion graded twice the last counts.
        token_logprobs: its tokens, or the first of them; their texts need not join to `text` to the letter, since
            parts of a character have no text of their own.

    Returns:
        The confidence in whichever grades could be located and measured; None if that is none, or if the tokens are not
        those of this text.
    """
    if not token_logprobs:
        return None
    names = _NAME.findall(text)
    grades = [found.group(1) for found in _SCORE.finditer(text)]
    tokens_text = "".join(one.token for one in token_logprobs)
    places = list(_SCORE.finditer(tokens_text))
    if places and places[-1].end() == len(tokens_text) and places[-1].group(1) is None:
        places.pop()  # only the first tokens were kept, and they end right before a grade
    if len(names) != len(grades) or [found.group(1) for found in places] != grades[: len(places)]:
        return None
    ends = list(accumulate(len(one.token) for one in token_logprobs))
    measured: dict[str, GradeConfidence] = {}
    for name, place in zip(names, places, strict=False):  # tokens may end before the text does
        measured.pop(name, None)
        if place.group(1) is None:
            continue
        index = bisect_right(ends, place.start(1))
        one = _measure(name, token_logprobs[index], place.start(1) - (ends[index] - len(token_logprobs[index].token)))
        if one is not None:
            measured[name] = one
    return Confidence(tuple(measured.values())) if measured else None


def _measure(name: str, at: TokenLogprob, offset: int) -> GradeConfidence | None:
    """Share out the probability at one token, whose character `offset` is the grade's digit."""
    before = _without_space(at.token[:offset])
    by_grade = [0.0] * (BEST_SCORE + 1)
    total = 0.0
    for token, logprob in _listed(at):
        probability = math.exp(logprob)
        total += probability
        found = _GRADE_IN_TOKEN.match(token)
        if found and _without_space(found.group(1)) == before:
            by_grade[int(found.group(2))] += probability
    seen = sum(by_grade)
    if total > 1 + ROUNDING or seen < LEAST_SEEN:
        return None
    return GradeConfidence(name, int(at.token[offset]), tuple(one / seen for one in by_grade), min(seen, 1.0))


def _listed(at: TokenLogprob) -> Iterator[tuple[str, float]]:
    """Give every token listed for a place once, the one that was chosen first."""
    given = {at.token}
    yield at.token, at.logprob
    for token, logprob in at.alternatives:
        if token not in given:
            given.add(token)
            yield token, logprob


def _without_space(text: str) -> str:
    return "".join(text.split())
