"""What is an evaluator like that some conversations break? A plug-in of the site's own, with an opinion on nothing."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Evaluation
from healing_eval.ports.evaluator import EvaluatorSetup

NAME = "poison"
KILLS = "kills-the-worker"
"""In the id of a conversation: its evaluation kills the process, as running out of memory does."""
HANGS = "hangs-the-worker"
"""In the id of a conversation: its evaluation never returns and lets nothing else run, as a careless pattern does."""
RAISES = "raises-an-error"
"""In the id of a conversation: its evaluation raises an error."""
_ENTRY_POINTS = f"[healing_eval.evaluators]\n{NAME} = bench.chaos.poison:Poison\n"


class Poison:
    """Breaks on what is marked, and abstains from everything else."""

    name = NAME
    version = "1"
    weight = 1.0
    lane = "checks"
    needs: frozenset[str] = frozenset()

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        return cls()

    def inapplicable(self, conversation: Conversation) -> str | None:
        marked = any(mark in conversation.conversation_id for mark in (KILLS, HANGS, RAISES))
        return None if marked else "no poison"

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        for conversation in conversations:
            if KILLS in conversation.conversation_id:
                os.kill(os.getpid(), signal.SIGKILL)
            if HANGS in conversation.conversation_id:
                re.fullmatch(r"(\w+\s?)+!", "a" * 100)  # doubles its time with each letter
            raise RuntimeError("poison")
            yield  # makes it a generator


def installed_in(folder: Path) -> dict[str, str]:
    """Install the plug-in in a folder, and say what to set so that a process finds it."""
    distribution = folder / f"healing_eval_{NAME}-1.dist-info"
    distribution.mkdir(parents=True, exist_ok=True)
    (distribution / "METADATA").write_text(f"Metadata-Version: 2.1\nName: healing-eval-{NAME}\nVersion: 1\n")
    (distribution / "entry_points.txt").write_text(_ENTRY_POINTS)
    return {"PYTHONPATH": os.pathsep.join((str(folder), str(Path(__file__).parents[2])))}
