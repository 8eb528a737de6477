"""What does the agent claim, and is it denied or affirmed?

A claim is a clause with its content words and its polarity. Clauses that ask, suppose, hedge, promise, tell of an
attempt or speak of a state that may change claim nothing that could be held against the agent later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import msgspec

from healing_eval.evaluators.coherence.context import Said
from healing_eval.evaluators.values.text import holds_any

MAX_WORDS = 30
"""Longer clauses are no plain statements."""
MAX_SENTENCE = 400
"""Characters; longer sentences are not read."""


class Claim(msgspec.Struct, frozen=True):
    """One clause that says that something is so, or that it is not."""

    said: Said
    text: str
    """The clause in lower case."""
    words: frozenset[str]
    """Its content words without endings; opposites are written as one word ("ineligible" as "eligible")."""
    denied_word: str | None
    """The content word that is denied; None of a claim that is affirmed."""
    names: frozenset[str]
    """Those of its words that have a capital letter inside the sentence or are numbers."""
    person: str | None
    """The first word if it is one such as "I" or "your", which leaves no doubt whom the clause is about."""


# fmt: off
_NEGATIONS = frozenset({
    "not", "no", "never", "cannot", "without", "unable", "don't", "doesn't", "isn't", "aren't", "wasn't", "weren't",
    "can't", "haven't", "hasn't", "won't", "dont", "doesnt", "isnt", "cant",
})
_OPPOSITES = {
    "unavailable": "available", "excluded": "include", "excludes": "include", "exclude": "include",
    "ineligible": "eligible", "impossible": "possible", "nonrefundable": "refundable", "invalid": "valid",
    "incompatible": "compatible", "unsupported": "support", "prohibited": "allow", "forbidden": "allow",
    "closed": "open", "unlimited": "limit", "optional": "mandatory", "inactive": "active", "hate": "like",
    "hates": "like", "dislike": "like", "dislikes": "like",
}
_SAME = {
    "love": "like", "loves": "like", "loved": "like", "enjoy": "like", "enjoys": "like", "adore": "like",
    "permitted": "allow", "has": "have", "had": "have", "own": "have", "required": "mandatory",
}
_EMPTY = frozenset({
    "a", "an", "the", "i", "me", "my", "mine", "you", "your", "yours", "we", "us", "our", "he", "him", "his", "she",
    "her", "they", "them", "their", "it", "its", "it's", "i'm", "you're", "we're", "they're", "i've", "is", "are",
    "was", "were", "be", "been", "being", "am", "do", "does", "did", "to", "of", "in", "on", "at", "for", "from",
    "by", "with", "as", "or", "too", "also", "very", "really", "that", "this", "these", "those", "there", "there's",
    "here", "can", "will", "you'll", "able", "any", "all", "some", "well", "yes", "then", "than", "about", "into",
    "always", "ever", "even", "lot", "much", "many", "that's", "think", "believe", "taking", "anyway", "unfortunately",
    "note", "definitely", "fully", "certainly", "indeed", "however",
})
_NO_CLAIM = frozenset({
    # supposes
    "if", "unless", "once", "until", "when", "whether", "whenever", "while", "before", "after", "till", "otherwise",
    "except", "provided", "depending", "depends", "wherever", "case", "assuming",
    # hedges
    "may", "might", "could", "would", "should", "maybe", "perhaps", "possibly", "probably", "seems", "seem",
    "appears", "likely", "sure", "certain", "i'd", "you'd", "we'd", "usually", "sometimes", "typically",
    # promises and wishes of the other side
    "i'll", "we'll", "shall", "want", "prefer", "let", "let's", "please",
    # tells of an attempt
    "couldn't", "find", "found", "finding", "locate", "located", "see", "seeing", "show", "shows", "tried", "managed",
    "failed", "retrieve", "retrieved", "retrieving", "didn't", "understand", "understood", "understanding", "hear",
    "know", "look", "looks", "match",
    # denies in a way of its own
    "wouldn't", "shouldn't", "hadn't", "mustn't", "needn't", "mightn't", "ain't", "nobody", "nothing", "nowhere",
    "hardly", "rarely", "seldom", "barely", "few", "little",
    # a state that may change
    "yet", "now", "already", "still", "anymore", "longer", "currently", "again", "moment", "today", "far", "recently",
    "used", "temporarily", "soon", "later", "tomorrow", "yesterday", "just", "previously", "earlier",
    # another subject, or a part of it
    "only", "other", "another", "else", "both", "either", "neither", "nor", "none", "first", "second", "one", "instead",
    "same", "each", "rest", "others",
    # asks
    "why", "what", "how", "which", "who", "where", "whose",
})
_ASKS = frozenset({
    "is", "are", "do", "does", "did", "can", "have", "has", "was", "were", "am", "don't", "doesn't", "isn't", "aren't",
    "can't", "never", "not", "wasn't", "haven't", "hasn't",
})
_VERBS = frozenset({
    "is", "are", "was", "were", "am", "i'm", "it's", "you're", "we're", "they're", "that's", "there's", "i've", "has",
    "have", "had", "do", "does", "can", "cannot", "will", "you'll", "been", "i", "we", "you", "he", "she", "they",
    "includes", "include", "excludes", "allows", "allow", "requires", "accepts", "accept", "offers", "offer", "comes",
    "supports", "support", "closes", "opens", "covers", "applies", "qualifies", "costs", "charges", "allowed",
}) | {word for word in _NEGATIONS if word.endswith("n't")}
# fmt: on
DENIES = _NEGATIONS | _OPPOSITES.keys() | {"non", "wish"}
"""A text with none of these words denies nothing."""

# The engine skips to the set of characters that a pattern begins with; what stands before is looked at afterwards.
_BREAK = re.compile(r"[\s;](?:(?<=;)|(?<=[.!?]\s)\s*)")
_ITEM = re.compile(r"\s*(?:[-*•#>|]|\d+[.)]\s)")
_CLAUSE = re.compile(r",|\s[–—-]+\s|[()]|\b(?:but|because|since|although|though|whereas|so|and|therefore)\b")
_WORD = re.compile(r"[^\W\d]+(?:'[a-z]+)?|\d+")
_NAME = re.compile(r"[A-Z](?<=[\w,] [A-Z])\w*")
_NON = re.compile(r"\bnon[- ](?=[a-z]{4})")
_QUOTES = '?:"“|'
_PROMISE_OR_ATTEMPT = re.compile(
    r"\b(?:i|we) (?:will|won't)\b|\b(?:was|were|wasn't|weren't|been|be)(?: not)? (?:un)?able\b"
)
_IN_PROMISE_OR_ATTEMPT = ("will", "won't", "able")
"""One of these is in every text that the pattern matches, and finding them takes much less time."""
_WISH = "i wish i "
_PERSONS = {"i": "i", "i'm": "i", "i've": "i", "you": "you", "you're": "you", "your": "your", "my": "my"}
_ENDINGS = ("ing", "ed", "es", "s")


def denials_of(said: Said) -> Iterator[Claim]:
    """Give what a turn denies."""
    hints = DENIES & said.word_set
    return claims_of(said, lambda text: holds_any(text, hints), denied=True) if hints else iter(())


def claims_of(said: Said, may_claim: Callable[[str], bool], *, denied: bool) -> Iterator[Claim]:
    """Give the claims of a turn that are denied, or those that are affirmed.

    Args:
        said: the turn.
        may_claim: tells of a text in lower case (the turn, a line or a sentence) whether it is worth reading.
        denied: whether what is denied is asked for, or what is affirmed.
    """
    if not may_claim(said.lowered):
        return
    for line in said.text.replace("’", "'").split("\n"):
        # An item of a list often names an alternative or a condition.
        if line and may_claim(line.lower()) and not _ITEM.match(line):
            for sentence in _BREAK.split(line):
                if len(sentence) > MAX_SENTENCE:
                    continue
                lowered = sentence.lower()
                if may_claim(lowered) and not holds_any(lowered, _QUOTES) and _is_plain(lowered):
                    yield from _of_sentence(said, sentence, denied=denied)


def content_words(words: list[str]) -> list[str]:
    """Give the words that carry meaning, each as it is compared."""
    return [content_of(word) for word in words if word not in _EMPTY and word not in _NEGATIONS]


@lru_cache(maxsize=4096)
def content_of(word: str) -> str:
    """Give a word as it is compared: without its ending, and one word for all that mean the same or the opposite."""
    return _stem(_OPPOSITES.get(word) or _SAME.get(word) or word)


def words_of(lowered: str) -> list[str]:
    """Cut a text in lower case into words and numbers."""
    return _WORD.findall(lowered)


def forms_of(content: str) -> tuple[str, ...]:
    """Give the texts of which a sentence holds at least one if it holds a content word."""
    return (content, *_FORMS.get(content, ()))


def _is_plain(lowered: str) -> bool:
    if not _NO_CLAIM.isdisjoint(words_of(lowered)):
        return False
    return not (holds_any(lowered, _IN_PROMISE_OR_ATTEMPT) and _PROMISE_OR_ATTEMPT.search(lowered))


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = word.rstrip("e")
    if word[-2:-1] == word[-1:]:  # "shipp" of "shipped"
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def _forms() -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for table in (_OPPOSITES, _SAME):
        for word, means in table.items():
            forms.setdefault(_stem(means), []).append(word)
    return forms


_FORMS = _forms()
"""Content word to the words that are compared as it and do not look like it."""


def _of_sentence(said: Said, sentence: str, *, denied: bool) -> Iterator[Claim]:
    names = {name.lower() for name in _NAME.findall(sentence) if name != "I"}
    for clause in _CLAUSE.split(sentence.lower()):
        claim = _claim(said, clause.strip(), names, denied=denied)
        if claim:
            yield claim


def _claim(said: Said, clause: str, names: set[str], *, denied: bool) -> Claim | None:
    plain = "i " + clause.removeprefix(_WISH) if clause.startswith(_WISH) else clause
    words = words_of(_NON.sub("not ", plain) if "non" in plain else plain)
    if not 2 <= len(words) <= MAX_WORDS or words[0] in _ASKS or _VERBS.isdisjoint(words) or words[-1] in _NEGATIONS:
        return None
    places = _denied_places(words, wishes=plain != clause)
    if len(places) != denied:  # who denies twice affirms, and in a way that is seldom plain
        return None
    after = content_words(words[places[0] :]) if denied else []
    if denied and not after:
        return None
    return Claim(
        said=said,
        text=clause,
        words=frozenset(content_words(words)),
        denied_word=after[0] if denied else None,
        names=frozenset(content_of(word) for word in words if word in names or word.isdigit()),
        person=_PERSONS.get(words[0]),
    )


def _denied_places(words: list[str], *, wishes: bool) -> list[int]:
    places = [place for place, word in enumerate(words) if word in _NEGATIONS or word in _OPPOSITES]
    return [0, *places] if wishes else places
