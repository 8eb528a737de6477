"""Are argument values called ungrounded when they are, and only then?

On sets whose calls are all correct, every value flagged is a false alarm. Then one value at a time is replaced by
another conversation's value of the same tool and argument, drawn with a fixed seed; only values that this conversation
holds nowhere, after normalisation, count as corruptions.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from bench.realdata.records import records
from bench.realdata.rows import Row, share
from healing_eval.domain.conversation import Conversation
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf
from healing_eval.evaluators.values.text import fold

ALL_CORRECT = ("sgd", "gold_tool_dialogues")
SEED = 7
SMALL = 100
"""Integers below this are told apart: the evaluator does not look up those below 10, and chance grounds many others."""

Place = tuple[int, int, str]
"""Index of the turn, of the call in it, and the name of a top-level argument."""


class Swap(NamedTuple):
    """A value in place of another."""

    conversation: Conversation
    place: Place
    value: Any
    looked_up: bool
    """Whether the evaluator decides about the original value: it passes over defaults, long texts, formulas, and
    members of enums of which none was named."""


def rows() -> Iterator[Row]:
    for name in ALL_CORRECT:
        yield from _false_alarms(name)
        yield from _caught(name)


def looked_up(conversation: Conversation, shelf: SchemaShelf) -> list[tuple[Place, Any, bool]]:
    """List the values of top-level arguments that the evaluator looks up, and whether it found them."""
    found: list[tuple[Place, Any, bool]] = []
    for placed, leaf, grounded in Grounding(Context(conversation, Options(), shelf)).values():
        call = next(i for i, one in enumerate(placed.turn.tool_calls) if one is placed.call)
        place = (placed.turn_index, call, leaf.name if len(leaf.path) == 1 else "/".join(map(str, leaf.path)))
        found.append((place, leaf.value, grounded))
    return found


def _false_alarms(name: str) -> Iterator[Row]:
    shelf = SchemaShelf()
    flags: list[bool] = []
    decided: list[bool] = []
    for one in records(name):
        found = looked_up(one.conversation, shelf)
        flags += [not grounded for *_, grounded in found]
        places = {place for place, *_ in found}
        decided += [place in places for _, place, _ in _arguments(one.conversation)]
    yield Row(name, len(flags), "values flagged as ungrounded", share(flags), "<= .03")
    yield Row(name, len(decided), "values looked up, of all texts and numbers", share(decided))


def _caught(name: str) -> Iterator[Row]:
    shelf = SchemaShelf()
    caught: dict[str, list[bool]] = defaultdict(list)
    for swap in _swaps(name):
        flagged = any(
            not grounded and place == swap.place and value == swap.value
            for place, value, grounded in looked_up(_swapped(swap), shelf)
        )
        caught["all" if not _is_small(swap.value) else "small"].append(flagged)
        if swap.looked_up and not _is_small(swap.value):
            caught["looked up"].append(flagged)
    yield Row(name, len(caught["looked up"]), "swapped values caught", share(caught["looked up"]), ">= .90")
    yield Row(name, len(caught["small"]), f"swapped integers below {SMALL} caught", share(caught["small"]))
    yield Row(name, len(caught["all"]), "swapped values caught, those never looked up included", share(caught["all"]))


def _swaps(name: str) -> Iterator[Swap]:
    generator, shelf = random.Random(SEED), SchemaShelf()
    conversations = [one.conversation for one in records(name)]
    pool: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for conversation in conversations:
        for tool, (_, _, argument), value in _arguments(conversation):
            pool[tool, argument].setdefault(fold(str(value)), value)
    for conversation in conversations:
        held = f" {fold(msgspec.json.encode(conversation.turns).decode())} "
        checked = {place for place, *_ in looked_up(conversation, shelf)}
        for tool, place, _ in _arguments(conversation):
            fitting = [value for text, value in pool[tool, place[2]].items() if f" {text} " not in held]
            if fitting:
                yield Swap(conversation, place, generator.choice(fitting), place in checked)


def _arguments(conversation: Conversation) -> Iterator[tuple[str, Place, Any]]:
    """List the agent's top-level arguments that are texts or numbers."""
    for turn_index, turn in enumerate(conversation.turns):
        if turn.role != "assistant":
            continue
        for call_index, call in enumerate(turn.tool_calls):
            for argument, value in call.parameters.items():
                if isinstance(value, str | int | float) and not isinstance(value, bool):
                    yield call.tool_name, (turn_index, call_index, argument), value


def _swapped(swap: Swap) -> Conversation:
    turn_index, call_index, argument = swap.place
    turns = list(swap.conversation.turns)
    calls = list(turns[turn_index].tool_calls)
    parameters = {**calls[call_index].parameters, argument: swap.value}
    calls[call_index] = msgspec.structs.replace(calls[call_index], parameters=parameters)
    turns[turn_index] = msgspec.structs.replace(turns[turn_index], tool_calls=tuple(calls))
    return msgspec.structs.replace(swap.conversation, turns=tuple(turns))


def _is_small(value: Any) -> bool:
    text = str(value).lstrip("-")
    return text.isdigit() and int(text) < SMALL
