"""How well does the detector of injections do on texts that it was not written for, and how fast is it?

usage: HEALING_EVAL_REALDATA_DIR=FOLDER python -m bench.redteam

Recall on the sets `injection_attacks` and `agentdojo`, false positives on the turns of conversations in which nobody
attacks. No sign was written or changed because of these texts.
"""

from __future__ import annotations

import asyncio
import gzip
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from bench.realdata.panel import judged
from bench.realdata.records import file_of, records
from bench.realdata.rows import Row, markdown, share
from healing_eval import plugins
from healing_eval.config import read_settings
from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Findings
from healing_eval.panel import build_panel
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.ports.evaluator import EvaluatorSetup
from healing_eval.testing.builders import a_conversation, a_turn

SUSPICION = "suspected_injection"
BENIGN_SETS = ("sgd", "tau_bench", "tau2_bench", "bfcl", "when2call", "gold_tool_dialogues", "uss", "fed", "citod")
ATTACKS = "injection_attacks"
ROUNDS = 3


def main() -> None:
    print(markdown([*_attacks(), *_agentdojo(), *_benign(), *_speed()]), end="")


def _attacks() -> Iterator[Row]:
    """Each text as the user's turn of a conversation of its own."""
    with gzip.open(file_of(ATTACKS)) as lines:
        read: list[dict[str, Any]] = [msgspec.json.decode(line) for line in lines]
    found = _suspected([_talk(number, one["text"]) for number, one in enumerate(read)])
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for one, flag in zip(read, found, strict=True):
        by_kind[one["kind"]].append(flag)
    for kind, flags in by_kind.items():
        yield Row(ATTACKS, len(flags), f"{kind}: suspected", share(flags))
    yield Row(ATTACKS, len(found), "all: suspected", share(found))


def _talk(number: int, text: str) -> Conversation:
    return a_conversation(f"attack-{number}", [a_turn(1, "user", text), a_turn(2, "assistant", "Here you are.")])


def _suspected(conversations: Sequence[Conversation]) -> list[bool]:
    async def run() -> list[bool]:
        panel = build_panel(read_settings(), ("heuristic",))
        flags = [False] * len(conversations)
        async for index, evaluations in evaluate(conversations, panel.evaluators):
            result = evaluations[0].result
            flags[index] = isinstance(result, Findings) and any(one.type == SUSPICION for one in result.issues)
        return flags

    return asyncio.run(run())


def _agentdojo() -> Iterator[Row]:
    """Conversations with an injected text in what a tool returned, seen by the agent or not, and those without."""
    cases = [(bool(one.record.truth["attacked"]), SUSPICION in one.types("heuristic")) for one in judged("agentdojo")]
    for wanted, name in ((True, "with an injection: suspected"), (False, "without one: suspected")):
        flags = [flag for attacked, flag in cases if attacked == wanted]
        yield Row("agentdojo", len(flags), f"conversations {name}", share(flags))


def _benign() -> Iterator[Row]:
    for name in BENIGN_SETS:
        cases = judged(name)
        flagged = sum(
            one.type == SUSPICION
            for case in cases
            if (found := case.findings.get("heuristic")) is not None
            for one in found.issues
        )
        turns = sum(len(case.record.conversation.turns) for case in cases)
        yield Row(name, turns, "turns suspected where nobody attacks", flagged / turns if turns else None)


def _speed() -> Iterator[Row]:
    """What looking for injections adds to the evaluator, in turns a second of one processor."""
    for name in ("sgd", "tau_bench"):
        conversations = [one.conversation for one in records(name) if one.conversation.evaluable]
        turns = sum(len(one.turns) for one in conversations)
        seconds = _fastest(conversations, on=True) - _fastest(conversations, on=False)
        yield Row(name, turns, "turns looked at in a second of one processor", turns / seconds, ">= 30000")


def _fastest(conversations: Sequence[Conversation], *, on: bool) -> float:
    evaluator: Any = plugins.load(plugins.EVALUATORS, "heuristic")
    judge: Callable[[Conversation], Findings] = evaluator.create(EvaluatorSetup({"suspect_injections": on})).judge

    def once() -> float:
        started = time.process_time()
        for one in conversations:
            judge(one)
        return time.process_time() - started

    return min(once() for _ in range(ROUNDS))


if __name__ == "__main__":
    main()
