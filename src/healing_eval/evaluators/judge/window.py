"""Which turns does the judge see?

The newest ones that fit. The agent's instructions are always shown, cut when they are very long.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.in_hand import PerConversation
from healing_eval.evaluators.judge.fence import Line, header_line, turn_line, whole_lines
from healing_eval.evaluators.judge.grounding import Passages
from healing_eval.evaluators.judge.tokens import estimate_tokens

SMALLEST_CUT = 64
LONGEST_WHOLE = 100_000
"""Characters up to which a conversation is first written whole, to see whether it fits."""

Write = Callable[[int], Line]


class Window(msgspec.Struct, frozen=True):
    """What is shown of a conversation."""

    lines: tuple[Line, ...]
    """The header, then one line per shown turn, oldest first."""
    turns: tuple[Turn, ...]
    """The shown turns, oldest first."""
    passages: Passages
    """The same, to look quotes up in."""
    left_out: str
    """What is not shown, for the model and for people; "" if all is."""

    @property
    def hidden(self) -> int:
        """How many hidden characters were taken out."""
        return sum(line.hidden for line in self.lines)


def choose_window(conversation: Conversation, budget_tokens: int) -> Window:
    """Choose the newest turns that fit the budget; the newest one is always shown, cut if need be.

    Args:
        conversation: has at least one turn.
        budget_tokens: estimated tokens the block may take; half of it at most goes to instructions and tools.
    """
    whole = _whole(conversation, None)
    if whole is not None and whole.fits(budget_tokens):
        return whole.window
    header = _shrink(lambda characters: header_line(conversation, characters=characters), budget_tokens // 2)
    left = budget_tokens - estimate_tokens(header.text)
    lines: list[Line] = []
    cut = False
    for turn in reversed(conversation.turns):
        # Every character is at least a seventh of a token: what is longer cannot fit and is not even written out.
        line = turn_line(turn) if len(turn.content) <= left * 7 else None
        cost = estimate_tokens(line.text) if line else left + 1
        if line is None or cost > left:
            if lines:
                break
            line, cut = _shrink(lambda characters, turn=turn: turn_line(turn, characters=characters), left), True
            cost = estimate_tokens(line.text)
        lines.append(line)
        left -= cost
    lines.append(header)
    shown = conversation.turns[len(conversation.turns) - len(lines) + 1 :]
    remark = _remark(conversation, len(shown), header, cut=cut)
    return Window(tuple(reversed(lines)), shown, Passages(shown), remark)


class _Whole(msgspec.Struct, frozen=True):
    """All of a conversation, uncut."""

    window: Window
    characters: int

    def fits(self, budget_tokens: int) -> bool:
        """Whether it surely does, as nearly every conversation: a token has a character at least."""
        return self.characters <= budget_tokens and len(self.window.lines[0].text) <= budget_tokens // 2


def _write_whole(conversation: Conversation, _: None) -> _Whole | None:
    """Write all of a conversation; None if it is so long that hardly any budget is large enough for all of it."""
    turns = conversation.turns
    texts = [conversation.system_prompt or "", *(tool.description or "" for tool in conversation.tools)]
    if sum(map(len, texts)) + sum([len(turn.content) for turn in turns]) > LONGEST_WHOLE:
        return None
    lines = whole_lines(conversation)
    return _Whole(Window(lines, turns, Passages(turns), ""), sum([len(line.text) for line in lines]))


_whole: PerConversation[None, _Whole | None] = PerConversation(_write_whole)
"""Written once, though several judges show it."""


def _shrink(write: Write, budget: int) -> Line:
    """Write with ever fewer characters until it fits; each try halves the length, so that the sum stays linear."""
    characters = max(budget * 7, SMALLEST_CUT)
    line = write(characters)
    while characters > SMALLEST_CUT and len(line.text) > budget and estimate_tokens(line.text) > budget:
        characters //= 2
        line = write(characters)
    return line


def _remark(conversation: Conversation, shown: int, header: Line, *, cut: bool) -> str:
    remarks: list[str] = []
    total = len(conversation.turns)
    gone = total - shown
    if gone:
        remarks.append(f"turns 1-{gone} of {total} left out" if gone > 1 else f"turn 1 of {total} left out")
    if cut:
        remarks.append(f"turn {total} of {total} cut")
    if "characters left out ...]" in header.text and "characters left out ...]" not in (
        conversation.system_prompt or ""
    ):
        remarks.append("agent instructions or tools cut")
    return "; ".join(remarks)
