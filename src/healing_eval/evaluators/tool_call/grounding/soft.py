"""Were the values made up that need not be said as they are: members of enums, wordings, tokens, written lists?"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import islice

from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.grounding.credentials import Credentials
from healing_eval.evaluators.tool_call.grounding.dialogue import Dialogue
from healing_eval.evaluators.tool_call.grounding.leaves import MOST_LEAVES, Kind, Leaf
from healing_eval.evaluators.tool_call.grounding.lists import written_items
from healing_eval.evaluators.tool_call.grounding.members import member_said, others_said
from healing_eval.evaluators.tool_call.grounding.wording import wording_said

FactSaid = Callable[[Leaf, PlacedCall], bool]


_WORDING_EFFORT = 8
_MEMBERS_FOR_ONE_EFFORT = 8


def effort(leaf: Leaf) -> int:
    """How many times as long as a fact a value may take to look up; measured on a text of a megabyte."""
    if leaf.kind == "wording":
        return _WORDING_EFFORT
    return 1 + len(leaf.members) // _MEMBERS_FOR_ONE_EFFORT


class SoftGrounds:
    """One conversation's softer values. Whatever cannot be decided is None, and counts neither way."""

    def __init__(self, context: Context, fact_said: FactSaid) -> None:
        self._context = context
        self._fact_said = fact_said
        self._grounded: set[tuple[Kind, str, str]] = set()

    @cached_property
    def _dialogue(self) -> Dialogue:
        return Dialogue(self._context.conversation.turns)

    @cached_property
    def _credentials(self) -> Credentials:
        return Credentials(self._context.calls, self._context.passages)

    def ground(self, leaf: Leaf, placed: PlacedCall) -> bool | None:
        """Whether a value has a ground; one that had it keeps it."""
        value = str(leaf.value)
        key = (leaf.kind, leaf.name, value)
        if key in self._grounded:
            return True
        found = self._decide(leaf, value, placed)
        if found:
            self._grounded.add(key)
        return found

    def _decide(self, leaf: Leaf, value: str, placed: PlacedCall) -> bool | None:
        if leaf.kind == "member":
            return self._member(leaf, value, placed)
        if leaf.kind == "wording":
            return self._wording(leaf, value, placed)
        if leaf.kind == "credential":
            return self._credentials.said(value, leaf.name, placed.call.tool_name, placed.known_pieces)
        items = written_items(value)
        return all(self._fact_said(Leaf(leaf.path, leaf.name, item), placed) for item in items) if items else None

    def _member(self, leaf: Leaf, value: str, placed: PlacedCall) -> bool | None:
        """Ungrounded only if another member was said instead, and is not what another argument holds.

        Many follow by meaning alone: two people are a couple, what is cheap is inexpensive.
        """
        if member_said(value, leaf.members, self._context.passages, placed.known_pieces):
            return True
        said = set(others_said(value, leaf.members, *self._dialogue.before(placed.turn_index)))
        for held in islice(placed.call.parameters.values(), MOST_LEAVES):
            if isinstance(held, str):
                said.discard(held)
        return False if said else None

    def _wording(self, leaf: Leaf, value: str, placed: PlacedCall) -> bool | None:
        tool_name, passages = placed.call.tool_name, self._context.passages
        found = wording_said(value, leaf.name, tool_name, passages, placed.known_pieces)
        return None if found is False and not self._dialogue.is_english(placed.turn_index) else found
