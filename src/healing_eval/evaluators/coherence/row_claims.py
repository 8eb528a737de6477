"""Does a reply say of one record what is true of another, or of none?"""

from __future__ import annotations

from collections.abc import Iterator

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.coherence.context import Context, Said
from healing_eval.evaluators.coherence.records import Mention, Records, records_of
from healing_eval.evaluators.values.text import holds_any

# fmt: off
NEGATIONS = frozenset({
    "no", "not", "none", "neither", "nor", "without", "instead", "but", "however", "except", "don't", "isn't",
    "aren't", "won't", "can't", "cannot", "couldn't", "doesn't", "sorry", "unfortunately", "avoid", "or", "than",
    "different", "other", "within", "under",
})
# fmt: on
"""Words with which a reply may name a value without claiming it."""


def check(context: Context) -> Iterator[Issue]:
    """Compare each sentence of the agent with the records returned until then."""
    records = Records()
    position = 0
    if not any(turn.tool_calls for turn in context.conversation.turns):
        return
    for said in context.by_agent:
        fresh: list[dict[str, str]] = []
        for index in range(position, said.index + 1):
            if context.conversation.turns[index].tool_calls:
                fresh += records_of(index, context.conversation)
        position = said.index + 1
        if fresh:
            records.add(fresh)
        if records.rows:
            yield from _check_turn(said, records)


def _check_turn(said: Said, records: Records) -> Iterator[Issue]:
    beginnings = records.beginnings_in(said.word_set)
    for sentence in said.sentences if beginnings else ():
        if not holds_any(sentence, beginnings):
            continue
        words = _words(sentence)
        if not NEGATIONS.isdisjoint(words):
            continue
        named = records.named_in(words)
        if not named:
            continue
        wrong = _contradiction(sentence, named, records)
        if wrong:
            yield issue(
                "tool_contradiction",
                f"The reply says of a record what no record has: {wrong}.",
                turn_id=said.turn.turn_id,
                evidence=sentence.strip(),
                detail="record",
            )
            return


def _words(sentence: str) -> list[str]:
    return sentence.replace("_", " ").replace(".", " ").replace(",", " ").split()


def _contradiction(sentence: str, named: list[Mention], records: Records) -> str | None:
    for amount in records.unknown_amounts(sentence):
        return repr(amount)
    if len(named) < 2 or _lists_several(named):
        return None
    common = named[0].records.intersection(*(mention.records for mention in named[1:]))
    if common:
        return None
    return " with ".join(repr(" ".join(mention.words)) for mention in named[:4])


def _lists_several(named: list[Mention]) -> bool:
    """Whether two values may stand in the same column, so that the sentence speaks of several records."""
    seen: set[str] = set()
    for mention in named:
        if not seen.isdisjoint(mention.columns):
            return True
        seen |= mention.columns
    return False
