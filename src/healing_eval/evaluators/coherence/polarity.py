"""Does the agent affirm what it had denied, or deny what it had affirmed?

Two claims of different turns contradict each other when they are made of the same words and exactly one is denied. The
rule is narrow on purpose: people and agents seldom contradict themselves in the same words, but when they do it is
plain; what may have changed in between (a correction, a call that writes, something new from the user) counts as
changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, islice

from healing_eval.domain.conversation import ToolCall, Turn
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.claims import (
    DENIES,
    Claim,
    claims_of,
    content_words,
    denials_of,
    forms_of,
    words_of,
)
from healing_eval.evaluators.coherence.context import MAX_CHARACTERS, Context, Said
from healing_eval.evaluators.values.text import holds_any

MAX_READ = 200_000
"""So many characters of what the agent said are read; the checks of hostile texts must cost milliseconds."""
MAX_DENIALS = 50
"""So many denials of one conversation are compared, so that time stays linear."""
MAX_OF_WORD = 8
"""So many denials of one word are compared with a claim."""
MAX_TRIES = 5
"""How often the turns between two claims are searched, so that time stays linear."""
MAX_NAME = 200
"""Characters of a tool's name."""
MIN_COMMON = 3
MIN_COMMON_OF_PERSON = 2
"""Fewer for "I like dogs" and "I don't like dogs": the subject is the same for certain."""
MIN_OF_SHORTER = 0.8
MIN_OF_LONGER = 0.6

# fmt: off
_CORRECTS = frozenset({
    "wrong", "correction", "actually", "mistake", "mistaken", "mistakenly", "sorry", "apologize", "apologise",
    "apologies", "apology", "misunderstood", "misunderstanding", "confusion", "clarify", "correct", "corrected",
    "error", "incorrect", "incorrectly", "misspoke", "overlooked", "changed", "updated", "oops", "hindsight",
    "reconsidered", "rechecked",
})
_TURNS_ELSEWHERE = frozenset({
    "other", "another", "second", "different", "else", "instead", "change", "changed", "try", "today", "tonight",
    "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
})
_READS = frozenset({
    "get", "list", "find", "search", "lookup", "look", "check", "fetch", "read", "show", "view", "query", "describe",
    "calculate", "retrieve", "count", "think",
})
# fmt: on
_NAME_PART = re.compile(r"[A-Z]?[a-z]+")
_NUMBER = re.compile(r"\b[a-z]*\d[a-z\d]*\b")
_CODE = re.compile(r"\b(?:[a-z]+\d[a-z\d]{2,}|\d[a-z\d]{3,})\b")
_WHAT_ABOUT = ("what about", "how about")
_REPLIES_TO_AGENT = frozenset({"you", "your", "you're", "you've"})


def check(context: Context) -> Iterator[Issue]:
    """Compare the agent's claims, if it denies anything at all."""
    by_agent = context.by_agent
    if len(by_agent) < 2 or all(DENIES.isdisjoint(said.word_set) for said in by_agent):
        return
    opposed = sorted(_opposed(_first(by_agent)), key=lambda pair: (pair[1].said.index, pair[0].said.index))
    for earlier, later in opposed[:MAX_TRIES]:
        if not _may_have_changed(earlier, later, context.conversation.turns):
            yield _issue(earlier, later)


def _first(by_agent: Sequence[Said]) -> Sequence[Said]:
    ends = accumulate(len(said.text) for said in by_agent)
    return by_agent[: sum(end <= MAX_READ for end in ends)]


def _issue(earlier: Claim, later: Claim) -> Issue:
    verb, before = ("denies", "said") if later.denied_word else ("affirms", "denied")
    return issue(
        "self_contradiction",
        f"The agent {verb} what it had {before} in turn {earlier.said.turn.turn_id!r}: {earlier.text[:200]!r}.",
        turn_id=later.said.turn.turn_id,
        evidence=later.text,
        detail="polarity",
    )


def _opposed(by_agent: Sequence[Said]) -> Iterator[tuple[Claim, Claim]]:
    """Give pairs of an earlier and a later claim that say the opposite of each other."""
    by_word: dict[str, list[Claim]] = {}
    for denial in islice((denial for said in by_agent for denial in denials_of(said)), MAX_DENIALS):
        by_word.setdefault(denial.denied_word or "", []).append(denial)
    if not by_word:
        return
    may_oppose = _opposing([denial for denials in by_word.values() for denial in denials[:MAX_OF_WORD]])
    for said in by_agent:
        for claim in claims_of(said, may_oppose, denied=False):
            for word in claim.words & by_word.keys():
                yield from _ordered_pairs(claim, by_word[word][:MAX_OF_WORD])


def _opposing(denials: Iterable[Claim]) -> Callable[[str], bool]:
    """Make a look at a text that tells whether it may affirm what one of the denials denies."""
    hints = tuple({form for denial in denials for form in forms_of(denial.denied_word or "")})
    wanted = [
        (MIN_OF_LONGER * len(denial.words), [*map(_traces_of, denial.words)], [*map(_traces_of, denial.names)])
        for denial in denials
    ]

    def may_oppose(text: str) -> bool:
        if not holds_any(text, hints):
            return False
        for least, words, names in wanted:
            if all(holds_any(text, traces) for traces in names):
                common = sum([holds_any(text, traces) for traces in words])
                if common >= MIN_COMMON_OF_PERSON and common >= least:
                    return True
        return False

    return may_oppose


def _traces_of(content: str) -> tuple[str, ...]:
    """Give the texts of which each text that has a content word has one: a final y became an i in it."""
    return tuple(form.removesuffix("i") for form in forms_of(content))


def _ordered_pairs(claim: Claim, denials: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
    for denial in denials:
        earlier, later = (claim, denial) if claim.said.index < denial.said.index else (denial, claim)
        if earlier.said is not later.said and _CORRECTS.isdisjoint(later.said.word_set) and _opposite(claim, denial):
            yield earlier, later


def _opposite(claim: Claim, denial: Claim) -> bool:
    """Whether a claim affirms what a denial denies; they share the word that is denied."""
    if not (claim.names <= denial.words and denial.names <= claim.words):
        return False
    common = len(claim.words & denial.words)
    shorter, longer = sorted((len(claim.words), len(denial.words)))
    if claim.person and claim.person == denial.person and common == longer:
        return common >= MIN_COMMON_OF_PERSON
    return common >= max(MIN_COMMON, MIN_OF_SHORTER * shorter, MIN_OF_LONGER * longer)


def _may_have_changed(earlier: Claim, later: Claim, turns: Sequence[Turn]) -> bool:
    """Whether a call wrote about it, the user said it himself, or another thing is spoken of by now."""
    start, end = earlier.said.index, later.said.index
    common = earlier.words & later.words
    if any(_writes_about(common, call) for turn in turns[start : end + 1] for call in turn.tool_calls):
        return True
    by_user = [_lowered(turn) for turn in turns[start + 1 : end] if turn.role == "user"]
    matter = earlier.denied_word or later.denied_word
    if any(_told(text, matter, common) for text in by_user):
        return True
    near = [_lowered(turn) for turn in turns[max(0, start - 1) : start + 1]]
    return any(_turns_elsewhere(text, near) for text in by_user) or not _known(_CODE, later.said.lowered, near)


def _turns_elsewhere(text: str, near: Sequence[str]) -> bool:
    """Whether the user seems to speak of another thing than the one at hand."""
    if holds_any(text, _WHAT_ABOUT) or not _TURNS_ELSEWHERE.isdisjoint(words_of(text)):
        return True
    return not _known(_NUMBER, text, near)


def _known(pattern: re.Pattern[str], text: str, near: Sequence[str]) -> bool:
    """Whether all that a pattern finds in a text was named nearby before."""
    found = set(pattern.findall(text))
    return found <= {one for before in near for one in pattern.findall(before)} if found else True


def _lowered(turn: Turn) -> str:
    return turn.content[:MAX_CHARACTERS].lower().replace("’", "'")


def _told(text: str, matter: str | None, common: frozenset[str]) -> bool:
    """Whether the user states the matter himself, not as a question and not as what the agent had said."""
    words = words_of(text)
    if "?" in text or not _REPLIES_TO_AGENT.isdisjoint(words):
        return False
    named = common.intersection(content_words(words))
    return matter in named and 3 * len(named) >= 2 * len(common)


def _writes_about(common: frozenset[str], call: ToolCall) -> bool:
    """Whether a call may change what the claims are about: it does not only read, and names a word of theirs."""
    name = [part.lower() for part in _NAME_PART.findall(call.tool_name[:MAX_NAME])]
    if not _READS.isdisjoint(name):
        return False
    about = f"{' '.join(name)} {call.parameters!r:.{MAX_CHARACTERS}}".lower().replace("_", " ")
    return not common.isdisjoint(content_words(words_of(about)))
