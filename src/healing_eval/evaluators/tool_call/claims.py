"""Does the agent say that something has been done, or own up that it has not?

Only plain statements count. A question, a condition ("once it is confirmed"), a future or an admission in the same
sentence is no claim, and neither is what was "already" so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from healing_eval.evaluators.values.gate import AnyOf
from healing_eval.evaluators.values.text import fold, holds_any, lower

_SENTENCE_END = re.compile(r"\s(?:(?<=[.!?]\s)\s*|(?<=\n)\n*)")
"""White space after an end mark, or line breaks; begins with a set of characters, to which the engine skips."""

_ADMITS = re.compile(
    r"\b(?:sorry|apolog|unable|unfortunate|errors?\b|issues?\b|problem|trouble|difficult|cannot|can't|can not|"
    r"fail|invalid|not\b|unavailable|unsuccessful|however\b|no (?:longer|such|match|result|record)|instead\b)|"
    r"could ?n[o']t|n't\b|transfer(?:red|ring)? (?:you|to)\b|human agent"
)
_ADMITTING = AnyOf((
    "not", "n't", "sorry", "apolog", "unable", "unfortunate", "error", "issue", "problem", "trouble", "difficult",
    "fail", "invalid", "unavailable", "unsuccessful", "however", "no longer", "no such", "no match", "no result",
    "no record", "instead", "transfer", "human agent",
))  # fmt: skip
"""Wherever `_ADMITS` finds something, one of these stands; to look for them costs a fifth."""
_ADMITS_OUTRIGHT = re.compile(
    r"\b(?:unable|unsuccessful|fail(?:s|ed|ure|ing)?\b|cannot|can't|can not|(?:could|did|does|was|were|is|has) not\b)|"
    r"could ?n[o']t|(?:did|does|was|were|is|has)n't\b|\berrors?\b|transfer(?:red|ring)? (?:you|to)\b|human agent"
)
"""Words that leave no doubt even from another sentence; an apology may be for something else.

Wherever this finds something, so does `_ADMITS`.
"""

_POLITE = re.compile(
    r"\b(?:(?:don't|do not) (?:worry|hesitate|forget)|no (?:problem|trouble|issue)s?|"
    r"any (?:other |further |more )?(?:issue|problem|error)s?)\b"
)
"""Phrases that hold the words of an admission and admit nothing."""

_ADVERBS = r"(?:(?:now|just|been|fully|also|both|all|successfully|officially|duly) )*"
_DONE = re.compile(
    rf"\b(?:(?:is|are|was|were|has been|have been|been|i've|i have|we've|we have|got|successfully)(?: successfully)? "
    rf"{_ADVERBS}|(?:i|we) (?:(?:just|also|successfully) )?)([a-z]+)\b"
)
_FINISHED = frozenset(("confirmed", "complete", "completed", "finalized", "finalised", "successful", "done"))
"""What is said of a request, whatever it was for."""
_ALL_DONE = re.compile(
    r"(?:^|[,;:] )(?:you're|you are|everything is|everything's|it's|it is|that's|that is|all)? ?"
    r"(?:now )?(?:all )?(?:set|done|taken care of|sorted)(?=[ ]?[!.,:;]|$)"
)
_ALL_DONE_WORDS = frozenset(("set", "done", "sorted", "taken care of"))
_UNLESS = re.compile(
    r"\b(?:if|once|when|after|before|until|till|unless|whether|whenever|as soon as|assuming|provided|pending|"
    r"subject to|yet to)\b"
)
_NOT_YET = re.compile(r"\b(?:will|would|should|could|may|might|must|shall|already|being|to be|let me|please|want)\b")
_CLAUSE_END = re.compile(r"[,;:]| and ")

_MAX_SENTENCE = 600
_NEAR = 80
"""How far after a claim a condition may stand, in characters."""
_LAST_FINISHED = 8


class Claim(msgspec.Struct, frozen=True):
    """A statement that something is done, and where it stands."""

    turn_index: int
    sentence: str
    folded: str
    """The same without punctuation, between two spaces, so that " word" finds what begins with it."""


class Replies:
    """What the agent told the user between two of the user's turns, read once.

    Only texts with a word of a claim that matters are read for claims: to look at each sentence costs ten times more.
    """

    def __init__(self, participles_wanted: Iterable[str]) -> None:
        wanted = frozenset(participles_wanted)
        self._telling = wanted | _FINISHED | _ALL_DONE_WORDS if wanted else wanted
        self.last_said = -1
        """Index of the last turn with text; -1 if nothing was said."""
        self.last_admission = -1
        self.last_outright_admission = -1
        self.done: dict[str, Claim] = {}
        """A participle, such as "booked", to the last sentence that says so."""
        self.finished: deque[Claim] = deque(maxlen=_LAST_FINISHED)
        """The last sentences that call some request confirmed or complete."""
        self.all_done: Claim | None = None
        """The last sentence that says that everything is done."""

    def read(self, turn_index: int, content: str) -> None:
        """Take in one turn of the agent; turns come in their order."""
        self.last_said = turn_index
        lowered = lower(content).replace("’", "'")
        # Most texts hold no such word, whatever their sentences.
        may_admit = _ADMITTING.stands_in(lowered) and _ADMITS.search(lowered) is not None
        may_claim = holds_any(lowered, self._telling)
        if not may_admit and not may_claim:
            return
        for sentence in _SENTENCE_END.split(lowered):
            if may_admit and self._admits(turn_index, sentence):
                self.last_admission = turn_index
            elif may_claim and not sentence.endswith("?"):
                self._claims(turn_index, sentence[:_MAX_SENTENCE])

    def _admits(self, turn_index: int, sentence: str) -> bool:
        said = _POLITE.sub("", sentence)
        if _ADMITS_OUTRIGHT.search(said):
            self.last_outright_admission = turn_index
        return _ADMITS.search(said) is not None

    def _claims(self, turn_index: int, sentence: str) -> None:
        done = set(_plainly_done(sentence))
        all_done = _plainly_all_done(sentence)
        if not done and not all_done:
            return
        claim = Claim(turn_index, sentence, f" {fold(sentence)} ")
        self.done.update(dict.fromkeys(done, claim))
        if not done.isdisjoint(_FINISHED):
            self.finished.append(claim)
        if all_done:
            self.all_done = claim


def _plainly_all_done(sentence: str) -> bool:
    found = _ALL_DONE.search(sentence) if any(map(sentence.__contains__, _ALL_DONE_WORDS)) else None
    return found is not None and _is_plain(sentence, 0, found.end())


def _plainly_done(sentence: str) -> Iterator[str]:
    """Give the words that may be participles after "is", "have been", "I've" and the like."""
    start = 0
    for found in _DONE.finditer(sentence):
        if not _is_plain(sentence, start, found.end()):
            return
        yield found[1]
        start = found.end()


def _is_plain(sentence: str, start: int, end: int) -> bool:
    """Whether nothing between `start` and the claim, or right after it, makes it a condition or a future."""
    if _UNLESS.search(sentence, start, end) or _NOT_YET.search(sentence, start, end):
        return False
    rest = _CLAUSE_END.split(sentence[end : end + _NEAR], maxsplit=1)[0]
    return _UNLESS.search(rest) is None


_IRREGULAR = {
    "pay": "paid",
    "buy": "bought",
    "send": "sent",
    "set": "set",
    "make": "made",
    "put": "put",
    "write": "written",
    "withdraw": "withdrawn",
}


def participles(verb: str) -> tuple[str, ...]:
    """Give the forms in which a verb says that it has been done: "cancel" gives canceled and cancelled."""
    if verb in _IRREGULAR:
        return (_IRREGULAR[verb],)
    if verb.endswith("e"):
        return (verb + "d",)
    if verb.endswith("y"):
        return (verb[:-1] + "ied",)
    return (verb + "ed", verb + verb[-1] + "ed")
