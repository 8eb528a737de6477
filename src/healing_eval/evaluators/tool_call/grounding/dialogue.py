"""What had user and agent told each other before a call, whatever the tools answered?"""

from __future__ import annotations

from collections.abc import Sequence

from healing_eval.domain.conversation import Turn
from healing_eval.evaluators.values.text import Passages

_COMMON = ("the", "you", "your", "my", "what", "please", "with", "for", "can", "need", "want")


class Dialogue:
    """The words of both up to any call; the agent's from when the user answered them."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._passages = Passages([turn.content if turn.role in ("user", "assistant") else "" for turn in turns])
        self._answered: list[int] = []
        answered = 0
        for index, turn in enumerate(turns):
            answered = index + 1 if turn.role == "user" else answered
            self._answered.append(answered)

    def before(self, turn_index: int) -> tuple[str, int]:
        """The whole dialogue without case and punctuation, and where the part ends that was known in a turn."""
        return self._passages.plain(self._answered[turn_index])

    def is_english(self, turn_index: int) -> bool:
        """Whether it seems to be in English: what was translated cannot be found by its words."""
        text, limit = self.before(turn_index)
        return any(text.find(f" {word} ", 0, limit) >= 0 for word in _COMMON)
