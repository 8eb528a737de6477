"""Did the agent say the same again, or go round in circles?

Everything is linear: a turn is compared with a bounded number of earlier ones, over a bounded part of its text.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rapidfuzz.distance import Indel

from healing_eval.domain.conversation import ToolCall, Turn, TurnId
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.heuristic.context import Context, Reply
from healing_eval.evaluators.values.text import lower

T = TypeVar("T")

_WINDOW = 4
"""How many earlier long turns a turn is compared with for near sameness."""
_COMPARED_CHARACTERS = 2_000
_NEARLY_SAME = 0.97
_MAX_PERIOD = 4
_ROUNDS = 3
"""A cycle is a loop when it was run as often as this."""
_LOOP_MIN_CHARACTERS = 20
_NUMBERS_AND_NAMES = re.compile(r"\d+|[A-Z]\w+")


def check(context: Context) -> Iterator[Issue]:
    """Report repeated turns, and loops of texts and of tool calls."""
    answers = [reply for reply in context.replies if not reply.calls]
    if len(answers) > 1:
        spoken = [(reply, _normalised(reply.text)) for reply in answers]
        yield from _repeated(context, spoken)
        if len({text for _, text in spoken}) < len(spoken):
            yield from _text_loops(spoken)
    calls = [(turn, call) for turn in context.conversation.turns for call in turn.tool_calls]
    for place, period in _cycles(calls, _same_call):
        turn, call = calls[place]
        yield _loop(turn.turn_id, period, "tool calls", call.tool_name)


def _text_loops(spoken: list[tuple[Reply, str]]) -> Iterator[Issue]:
    said = [(reply.turn, text) for reply, text in spoken if len(text) >= _LOOP_MIN_CHARACTERS]
    for place, period in _cycles(said, lambda earlier, later: earlier[1] == later[1]):
        yield _loop(said[place][0].turn_id, period, "assistant turns", None)


def _normalised(text: str) -> str:
    lowered = lower(text)
    return " ".join(lowered.split()) if "  " in lowered or "\n" in lowered or "\t" in lowered else lowered


def _repeated(context: Context, spoken: list[tuple[Reply, str]]) -> Iterator[Issue]:
    options = context.options
    first_of: dict[str, TurnId] = {}
    recent: deque[tuple[str, TurnId]] = deque(maxlen=_WINDOW)
    for reply, text in spoken:
        if len(text) < options.repeat_min_characters:
            continue
        long = len(text) >= options.near_repeat_min_characters
        earlier = first_of.get(text)
        if earlier is not None:
            yield _again(reply, earlier, "word for word")
        elif long:
            earlier = next((turn_id for other, turn_id in recent if _nearly_same(other, reply.text)), None)
            if earlier is not None:
                yield _again(reply, earlier, "nearly word for word")
        if first_of.setdefault(text, reply.turn.turn_id) == reply.turn.turn_id and long:
            recent.append((reply.text, reply.turn.turn_id))


def _nearly_same(first: str, second: str) -> bool:
    """Whether two texts differ in a few letters only; with other numbers or names they say something else."""
    if abs(len(first) - len(second)) > (1 - _NEARLY_SAME) * (len(first) + len(second)):
        return False
    first, second = _compared(first), _compared(second)
    if Indel.normalized_similarity(first, second, score_cutoff=_NEARLY_SAME) < _NEARLY_SAME:
        return False
    return _NUMBERS_AND_NAMES.findall(first) == _NUMBERS_AND_NAMES.findall(second)


def _compared(text: str) -> str:
    half = _COMPARED_CHARACTERS // 2
    return text if len(text) <= _COMPARED_CHARACTERS else text[:half] + text[-half:]


def _again(reply: Reply, earlier: TurnId, how: str) -> Issue:
    return issue(
        "repeated_response",
        f"The assistant turn repeats turn {earlier} {how}.",
        turn_id=reply.turn.turn_id,
        evidence=reply.text,
        detail=how,
    )


def _same_call(earlier: tuple[Turn, ToolCall], later: tuple[Turn, ToolCall]) -> bool:
    """Whether a call repeats an earlier one to no other effect; a poll that learns something new is no loop."""
    one, other = earlier[1], later[1]
    if one.tool_name != other.tool_name or one.parameters != other.parameters:
        return False
    both_failed = bool(one.result and one.result.failed and other.result and other.result.failed)
    return both_failed or one.result == other.result


def _cycles(steps: Sequence[T], same: Callable[[T, T], bool]) -> Iterator[tuple[int, int]]:
    """Find where a cycle of 1 to 4 steps has been run three times.

    Yields:
        Place of the step that completed the third round, and the period; each loop once, by its shortest period.
    """
    longest = min(_MAX_PERIOD, len(steps) // _ROUNDS)
    if not longest:
        return
    runs = [0] * (longest + 1)
    inside = False
    for place, step in enumerate(steps):
        looping = 0
        for period in range(1, min(place, longest) + 1):
            runs[period] = runs[period] + 1 if same(steps[place - period], step) else 0
            if not looping and runs[period] >= period * (_ROUNDS - 1):
                looping = period
        if looping and not inside:
            yield place, looping
        inside = bool(looping)


def _loop(turn_id: TurnId, period: int, what: str, tool_name: str | None) -> Issue:
    steps = "The same step" if period == 1 else f"The same {period} steps"
    return issue(
        "loop",
        f"{steps} ({what}) came {_ROUNDS} times in a row.",
        turn_id=turn_id,
        tool_name=tool_name,
        detail=f"{what}, period {period}",
    )
