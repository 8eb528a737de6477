"""In which forms is the corpus tried? By the questions of each judge, alone and among others in one prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from healing_eval.panel import Panel
from healing_eval.ports.chat_model import ChatModel
from healing_eval.testing.redteam.attack import Attack
from healing_eval.testing.redteam.places import PLACES

JUDGE = "judge"
OTHER_JUDGES = ("coherence_judge", "tool_use_judge")
IN_A_PROMPT = 10
EVERY = 7
"""Of a sample: each variant at every seventh place, each beginning with another one, so that all places are tried."""


class Form(NamedTuple):
    """One way to ask."""

    name: str
    judges: tuple[str, ...]
    """Whose findings must not change."""
    in_a_prompt: int = 1
    """Conversations."""
    is_sample: bool = False
    """Whether a seventh of the corpus is tried, not all of it."""
    is_alone_on_panel: bool = True
    """Whether the judges' own checks are all that runs beside them."""

    def corpus(self, attacks: Sequence[Attack]) -> tuple[Attack, ...]:
        """Choose what is tried."""
        return sample_of(attacks) if self.is_sample else tuple(attacks)


ALONE = Form("judge, one conversation in a prompt", (JUDGE,), is_alone_on_panel=False)
FORMS = (
    ALONE,
    Form("judge, among honest neighbours", (JUDGE,), in_a_prompt=IN_A_PROMPT),
    Form("the other judges, one in a prompt", OTHER_JUDGES, is_sample=True),
    Form("the other judges, among honest neighbours", OTHER_JUDGES, in_a_prompt=IN_A_PROMPT, is_sample=True),
)
REMEMBERED = Form("judge, with what was found remembered", (JUDGE,), is_sample=True)

BuildPanel = Callable[[ChatModel, Form], Panel]
"""Makes the panel that asks the given model in this form, and remembers in `REMEMBERED` alone."""


def sample_of(attacks: Sequence[Attack]) -> tuple[Attack, ...]:
    """Choose a seventh, such that every variant and every place is among it."""
    variants: dict[tuple[str, str], int] = {}
    places = {place: number for number, place in enumerate(PLACES)}
    return tuple(
        attack
        for attack in attacks
        if (variants.setdefault((attack.family, attack.variant), len(variants)) + places[attack.place]) % EVERY == 0
    )
