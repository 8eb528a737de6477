"""Which words show that a user is dissatisfied, or that a reply will dissatisfy?

Words and phrases of everyday English, with points set by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from healing_eval.evaluators.coherence.context import Said


class Sign(msgspec.Struct, frozen=True):
    """A reason to think that the user is dissatisfied (points above 0) or content (below 0)."""

    reason: str
    points: float


class Phrases:
    """Phrases to look for, each only in a text that has its longest word, and every word that it has in its middle."""

    def __init__(self, *phrases: str) -> None:
        self._by_word: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for phrase in phrases:
            words = phrase.replace(",", " ").split()
            self._by_word.setdefault(max(words, key=len), []).append((phrase, frozenset(words[1:-1])))
        self.telling = frozenset(self._by_word)
        """The longest words, one of which is in every text that holds a phrase."""

    def found_in(self, said: Said, telling: frozenset[str]) -> bool:
        """Whether a turn holds one of the phrases; `telling` are those of its words that may tell it, or all."""
        for word in self.telling & telling:
            for phrase, middle in self._by_word[word]:
                if middle <= said.word_set and phrase in said.lowered:
                    return True
        return False


# fmt: off
_REFUSALS = frozenset({"no", "nope", "nah", "not", "never", "wrong", "incorrect"})
_NEGATIONS = frozenset({
    "not", "no", "never", "none", "nothing", "don't", "dont", "doesn't", "doesnt", "didn't", "didnt", "isn't", "isnt",
    "wasn't", "can't", "cant", "cannot", "couldn't", "won't", "wont", "wouldn't", "haven't", "hasn't", "neither",
    "without",
})
_CORRECTIONS = frozenset({
    "wrong", "incorrect", "instead", "actually", "mistake", "misunderstood", "rather", "change", "nevermind",
})
_OTHERS = frozenset({
    "other", "others", "another", "else", "different", "more", "alternative", "alternatives", "options",
})
_BAD = frozenset({
    "bad", "boring", "bored", "terrible", "horrible", "awful", "worst", "worse", "hate", "hated", "dislike",
    "disliked", "stupid", "dumb", "disappointed", "disappointing", "annoying", "annoyed", "frustrated", "frustrating",
    "ridiculous", "useless", "poor", "poorly", "slow", "sad", "weird", "confusing", "confused", "unfortunately",
    "problem", "expensive", "waste", "scary", "silly", "predictable", "overrated", "angry", "upset",
})
_CONTENT = frozenset({
    "thanks", "thank", "thankyou", "great", "perfect", "awesome", "excellent", "wonderful", "lovely", "amazing",
    "cool", "nice", "love", "loved", "appreciate", "fantastic", "enjoy", "enjoyed", "fun", "funny", "favorite",
    "favourite",
})
AGREEMENT = frozenset({
    "yes", "yeah", "yep", "yup", "sure", "ok", "okay", "correct", "right", "fine", "alright", "absolutely",
    "definitely",
})
THANKS = frozenset({"thanks", "thank", "thankyou"})
_OPEN = Phrases(
    "this is useless", "you are useless", "you're useless", "not helping", "not helpful", "no help",
    "this is ridiculous", "waste of time", "wasting my time", "this is frustrating", "i'm frustrated",
    "i am frustrated", "so frustrating", "fed up", "are you kidding", "what is wrong with you",
    "this is unacceptable", "very disappointed", "terrible service", "worst service", "doesn't work at all",
    "makes no sense", "you're not listening", "you are not listening", "still not working", "still doesn't work",
    "this isn't working", "never mind, forget it", "getting annoyed",
)
_ALREADY_SAID = Phrases(
    "i already told", "i've already told", "i already said", "as i said", "like i said", "i just said", "i just told",
    "i said", "i told you", "i asked for", "i already gave", "again, i", "how many times", "that's not what i",
    "that is not what i", "not what i asked", "i didn't ask", "did you not read", "you already asked",
)
_PERSON = Phrases(
    "speak to a human", "talk to a human", "speak with a human", "talk to a person", "speak to a person",
    "real person", "human agent", "speak to someone", "talk to someone", "speak with someone", "speak to a manager",
    "talk to a manager", "your supervisor", "a supervisor", "live agent", "real human", "representative",
)
_REPLY_FAILS = Phrases(
    "sorry", "unable to", "couldn't", "could not", "cannot", "can't", "unfortunately", "no results", "not available",
    "unavailable", "no match", "not found", "didn't find", "did not find", "don't have", "do not have",
    "there are no", "there is no", "there aren't", "there isn't", "failed", "i don't understand", "didn't understand",
    "don't know", "went wrong", "error",
)
# fmt: on
_SHOUTED_LETTERS = 12
_OF_FIRST_WORD = ((_REFUSALS, Sign("says no", 0.8)), (AGREEMENT, Sign("agrees", -0.5)))
_OF_WORDS = (
    (_NEGATIONS, Sign("negates", 0.5)),
    (_CORRECTIONS, Sign("corrects", 0.5)),
    (_OTHERS, Sign("asks for something else", 0.4)),
    (_BAD, Sign("words of displeasure", 0.8)),
    (_CONTENT, Sign("words of content", -0.8)),
)
_OF_PHRASES = (
    (_OPEN, Sign("says so openly", 3.0)),
    (_ALREADY_SAID, Sign("already said it", 1.5)),
    (_PERSON, Sign("asks for a person", 1.5)),
)


_SHOUTS = Sign("shouts", 1.5)
_REPLY_COULD_NOT = Sign("the agent could not do it", 0.8)
_REPLY_SAID_NO = Sign("the agent said no", 0.5)
_TELLING_OF_PHRASES = frozenset[str]().union(*(phrases.telling for phrases, _ in _OF_PHRASES))
_TELLING_OF_WORDS = frozenset[str]().union(*(listed for listed, _ in (*_OF_FIRST_WORD, *_OF_WORDS)))
_TELLING = _TELLING_OF_PHRASES | _TELLING_OF_WORDS
"""Every sign but shouting has one of these words."""


def signs_of_user(said: Said) -> list[Sign]:
    """Give the signs in a user's own words."""
    telling = said.word_set & _TELLING
    signs: list[Sign] = []
    if not telling.isdisjoint(_TELLING_OF_WORDS):
        signs.extend(_signs_of_words(said, telling))
    if not telling.isdisjoint(_TELLING_OF_PHRASES):
        signs.extend(sign for phrases, sign in _OF_PHRASES if phrases.found_in(said, telling))
    if shouts(said.text):
        signs.append(_SHOUTS)
    return signs


def _signs_of_words(said: Said, telling: frozenset[str]) -> Iterator[Sign]:
    for listed, sign in _OF_FIRST_WORD:
        if said.words[0] in listed:
            yield sign
    for listed, sign in _OF_WORDS:
        if not telling.isdisjoint(listed):
            yield sign


def signs_of_reply(reply: Said) -> list[Sign]:
    """Give the signs in the agent's turn before it."""
    signs: list[Sign] = []
    if _REPLY_FAILS.found_in(reply, reply.word_set):
        signs.append(_REPLY_COULD_NOT)
    if reply.words and reply.words[0] in _REFUSALS:
        signs.append(_REPLY_SAID_NO)
    return signs


def shouts(text: str) -> bool:
    """Whether a text is in capitals throughout or ends in three exclamation marks."""
    return "!!!" in text or (text.isupper() and sum(map(str.isalpha, text[:200])) >= _SHOUTED_LETTERS)
