"""What became of calls that failed, and did the reply say so?

A failed call was made good when a later call before the user's next word succeeded, or a later one of the same tool
at any time. Everything is read once, so the cost grows with the conversation and not with its failures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.claims import Claim, Replies, participles
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.values.text import fold, words_of_name

_LIGHT_VERBS = frozenset(("add", "change", "make", "move", "open", "post", "put", "record", "set", "share", "update"))
"""Verbs that are said of so many things that the sentence must name the tool's object too."""
_REQUESTS = ("request", "everything")
"""Words that name the matter in hand, whatever it is."""
_MAX_VALUES = 20
_MIN_WORD = 3


def check_recovery(context: Context) -> Iterator[Issue]:
    """Report failed calls that were neither made good nor owned up to, and replies that claim they succeeded."""
    failed = _not_made_good(context.calls)
    if not failed:
        return
    replies = _replies(context, failed)
    changes = _changes(context)
    for placed in failed:
        said = replies[placed.users_turns]
        if said.last_said < placed.turn_index:
            if context.conversation.complete:
                yield _unrecovered(placed)
            continue
        claim = _claim(context, placed, said, changes[placed.users_turns])
        if claim:
            yield issue(
                "result_contradicted",
                f"{placed.call.tool_name[:80]!r} failed, and the reply says that it succeeded.",
                turn_id=placed.turn.turn_id,
                tool_name=placed.call.tool_name,
                evidence=claim.sentence,
            )
        elif said.last_admission < placed.turn_index:
            yield _unrecovered(placed)


def _unrecovered(placed: PlacedCall) -> Issue:
    result = placed.call.result
    return issue(
        "unrecovered_error",
        f"{placed.call.tool_name[:80]!r} failed, and the agent neither made it good nor told the user.",
        turn_id=placed.turn.turn_id,
        tool_name=placed.call.tool_name,
        evidence=result.error if result else None,
    )


def _not_made_good(calls: Sequence[PlacedCall]) -> list[PlacedCall]:
    """The failed calls after which nothing that counts succeeded, in their order; found from the end."""
    left: list[PlacedCall] = []
    stretches: set[int] = set()
    tools: set[str] = set()
    for placed in reversed(calls):
        result = placed.call.result
        if result is None:
            continue
        if not result.failed:
            stretches.add(placed.users_turns)
            tools.add(placed.call.tool_name)
        elif placed.users_turns not in stretches and placed.call.tool_name not in tools:
            left.append(placed)
    return left[::-1]


def _replies(context: Context, failed: Sequence[PlacedCall]) -> dict[int, Replies]:
    """What the agent said in each stretch between two of the user's turns that a failure needs."""
    wanted: dict[int, set[str]] = defaultdict(set)
    for placed in failed:
        verb = context.verb(placed.call.tool_name)
        wanted[placed.users_turns].update(participles(verb) if verb else ())
    replies = {stretch: Replies(words) for stretch, words in wanted.items()}
    stretch = 0
    for index, turn in enumerate(context.conversation.turns):
        if turn.role == "user":
            stretch += 1
        elif turn.role == "assistant" and turn.content and stretch in replies:
            replies[stretch].read(index, turn.content)
    return replies


def _changes(context: Context) -> dict[int, set[str]]:
    """The verbs of the calls that did change something, by stretch."""
    changes: dict[int, set[str]] = defaultdict(set)
    for placed in context.calls:
        result = placed.call.result
        verb = context.verb(placed.call.tool_name)
        if verb and result is not None and not result.failed:
            changes[placed.users_turns].add(verb)
    return changes


def _claim(context: Context, placed: PlacedCall, said: Replies, changed: set[str]) -> Claim | None:
    """The sentence after a failed call that claims what the call was to do; None when there is none or in doubt."""
    verb = context.verb(placed.call.tool_name)
    if verb is None or said.last_outright_admission >= placed.turn_index:
        return None
    error = ((placed.call.result and placed.call.result.error) or "")[:1_000].lower()
    forms = participles(verb)
    if any(form in error for form in forms):  # "already cancelled": then the reply is right
        return None
    candidates = _of_the_verb(said, forms, verb, placed) if verb not in changed else []
    if not changed:
        named = [*_REQUESTS, verb.removesuffix("e"), *_objects(placed, verb)]
        candidates += [claim for claim in said.finished if _concerns(claim, placed, named)]
        candidates += [said.all_done] if said.all_done else []
    return next((claim for claim in candidates if claim.turn_index >= placed.turn_index), None)


def _of_the_verb(said: Replies, forms: Sequence[str], verb: str, placed: PlacedCall) -> list[Claim]:
    claims = [said.done[form] for form in forms if form in said.done]
    if verb not in _LIGHT_VERBS:
        return claims
    return [claim for claim in claims if _concerns(claim, placed, _objects(placed, verb))]


def _objects(placed: PlacedCall, verb: str) -> list[str]:
    """Beginnings of the words in the tool's name other than its verb: "add_bags" gives "bag"."""
    words = words_of_name(placed.call.tool_name)
    return [word.rstrip("s") for word in words if len(word) >= _MIN_WORD and word != verb]


def _concerns(claim: Claim, placed: PlacedCall, beginnings: Sequence[str]) -> bool:
    """Whether a sentence has a word with one of these beginnings, or names a value of the call's arguments."""
    if any(f" {beginning}" in claim.folded for beginning in beginnings if beginning):
        return True
    return any(f" {value} " in claim.folded for value in _values(placed.call.parameters))


def _values(parameters: dict[str, Any]) -> Iterator[str]:
    for value in list(parameters.values())[:_MAX_VALUES]:
        if isinstance(value, str | int) and not isinstance(value, bool):
            folded = fold(str(value)[:100])
            if len(folded) >= _MIN_WORD:
                yield folded
