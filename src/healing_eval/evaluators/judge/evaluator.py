"""What do language models say about this conversation, and can they be believed?"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import ClassVar, Self

import msgspec
import structlog

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse, Result
from healing_eval.errors import ConfigError, ModelUnavailable
from healing_eval.evaluators.judge.asker import Asked, Asker, failure_of, models_of
from healing_eval.evaluators.judge.deadline import Deadline
from healing_eval.evaluators.judge.facts import facts_about
from healing_eval.evaluators.judge.options import Options, read_options
from healing_eval.evaluators.judge.poll import Poll, Said
from healing_eval.evaluators.judge.rubric import COHERENCE, QUALITY, TOOL_USE, BuiltIn, Rubric, load_rubric
from healing_eval.ports.evaluator import EvaluatorSetup

log = structlog.get_logger()

CODE_VERSION = "5"
"""Raise it whenever the same conversation may be judged differently."""

Put = Callable[[Evaluation], None]

NO_MODEL = "not measured: no model configured"
NOTHING_SAID = "the agent said nothing that could be judged"

_WORD = re.compile(r"\w")
_OPENERS = frozenset(
    {
        "thought process",
        "let's solve this problem step by step",
        "let's think step by step",
        "answer",
        "final answer",
        "solution",
        "lösung",
        "respuesta",
        "solución",
        "réponse",
        "解",
        "解答",
        "かいせつ",
    }
)
"""Openings without content that models are known to grade as correct. Source: arXiv 2507.08794."""
_LONGEST_OPENER = max(map(len, _OPENERS))


class Judge:
    """Asks models to grade a conversation by a rubric, and believes only what they can quote."""

    name = "judge"
    weight = 40.0
    lane = "judges"
    needs: frozenset[str] = frozenset({"model"})
    facts_from: ClassVar[str | None] = "heuristic"
    """The deterministic evaluator whose findings the model is told."""
    graded_by: ClassVar[BuiltIn] = QUALITY

    def __init__(
        self, setup: EvaluatorSetup, options: Options, rubric: Rubric, new_nonce: Callable[[], str] | None = None
    ) -> None:
        self.options = options
        models = () if setup.model is None else (setup.model, *setup.more_models)
        self._askers = {
            model.name: Asker(model, rubric, options, setup, new_nonce or _random_nonce) for model in models
        }
        if len(self._askers) < len(models):
            raise ConfigError(f"models.{self.name}: expected each model once, got {[one.name for one in models]}")
        self._poll = Poll(list(self._askers.values()), options)
        self._at_once = 1 if self._poll.only is None else self._poll.only.fill_a_prompt
        self._checks = setup.checks if options.with_checks else None
        self._deadline_seconds = setup.deadline_seconds
        self.version = self._version(rubric)

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        options = read_options(setup.options, cls.name)
        with_checks = options.with_checks and setup.checks is not None
        return cls(setup, options, load_rubric(options.rubric, cls.graded_by, with_checks=with_checks))

    def _version(self, rubric: Rubric) -> str:
        judging = msgspec.structs.replace(self.options, concurrency=1, rubric=None, gather_seconds=0.0)
        checks = self._checks.version if self._checks else None
        asked = [models_of(one.model) for one in self._askers.values()]
        graded_by = (CODE_VERSION, rubric.text, rubric.several, judging, asked, checks)
        return blake2b(msgspec.json.encode(graded_by, order="sorted"), digest_size=6).hexdigest()

    def inapplicable(self, conversation: Conversation) -> str | None:
        if not self._askers:
            return NO_MODEL
        if any(_says_something(turn) for turn in conversation.turns):
            return None
        return NOTHING_SAID if conversation.evaluable else "no assistant turn"

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        ready: asyncio.Queue[Evaluation] = asyncio.Queue()
        deadline, most = Deadline(self._deadline_seconds), self.options.concurrency or len(conversations)
        handfuls = _handfuls(conversations, min(self._at_once, most))
        waiting = iter(handfuls)
        width = min(len(handfuls), max(1, most // self._at_once))
        askers = [asyncio.create_task(self._work_off(waiting, deadline, ready.put_nowait)) for _ in range(width)]
        try:
            for _ in conversations:
                yield await ready.get()
        finally:  # the reader may have stopped early
            deadline.end()
            for task in askers:
                task.cancel()
            await asyncio.gather(*askers, return_exceptions=True)

    async def _work_off(self, waiting: Iterator[Sequence[Conversation]], deadline: Deadline, put: Put) -> None:
        for some in waiting:
            left: Collection[Conversation] = some
            if self._poll.only is not None and len(some) == self._at_once > 1:
                left = await self._evaluate_together(self._poll.only, some, deadline, put)
            if len(left) > 1:
                await asyncio.gather(*(self._evaluate_one(one, deadline, put) for one in left))
            else:
                for one in left:
                    await self._evaluate_one(one, deadline, put)

    async def _evaluate_together(
        self, asker: Asker, some: Sequence[Conversation], deadline: Deadline, put: Put
    ) -> Collection[Conversation]:
        """Evaluate as many as fill a prompt, in one task; give those that have to be evaluated one by one."""
        started, waiting = time.perf_counter(), {one.key: (one, asker.new_use()) for one in some}

        def tell(one: Conversation, asked: Asked) -> None:
            del waiting[one.key]
            put(self._evaluation(one, asked.result, started, asked.use.freeze()))

        try:
            if not any(map(self.inapplicable, some)):
                with deadline.within():
                    questions = [(one, facts_about(one, self._checks), use) for one, use in waiting.values()]
                    await asker.ask_together(questions, tell)
        except TimeoutError:
            for one, use in waiting.values():
                put(self._evaluation(one, _too_late(deadline), started, use.freeze()))
            waiting.clear()
        except Exception as error:  # noqa: BLE001 - nothing was asked: one by one it is seen whose crash it is
            log.warning("judge.crashed", evaluator=self.name, kind=type(error).__name__)
        return [one for one, _ in waiting.values()]

    async def _evaluate_one(self, conversation: Conversation, deadline: Deadline, put: Put) -> None:
        started, use = time.perf_counter(), None
        said: Said = {}
        result: Abstention | Findings | Failure
        try:
            reason = self.inapplicable(conversation)
            if reason is None:
                with suppress(TimeoutError), deadline.within():
                    facts = facts_about(conversation, self._checks)
                    await self._poll.ask(conversation, facts, said, until_answered=_too_late(deadline))
                use = self._poll.use_of(said)
                result = self._poll.result_of(said)
            else:
                result = Abstention(reason)
        except Exception as error:  # noqa: BLE001 - asking costs money: a crash must not send the batch out again
            result = failure_of(error)
        put(self._evaluation(conversation, result, started, use))

    def _evaluation(
        self, conversation: Conversation, result: Result, started: float, use: ModelUse | None = None
    ) -> Evaluation:
        return Evaluation(
            conversation_key=conversation.key,
            evaluator=self.name,
            version=self.version,
            result=result,
            deterministic=False,
            latency_seconds=time.perf_counter() - started,
            model_use=use,
        )


class CoherenceJudge(Judge):
    """Grades whether the agent stays consistent, remembers and answers; asked only if a model is named for it."""

    name = "coherence_judge"
    weight = 15.0
    opt_in: ClassVar[bool] = True
    facts_from: ClassVar[str | None] = "coherence"
    graded_by: ClassVar[BuiltIn] = COHERENCE


class ToolUseJudge(Judge):
    """Grades how the agent chose and used its tools; asked only if a model is named for it."""

    name = "tool_use_judge"
    weight = 25.0
    opt_in: ClassVar[bool] = True
    needs: frozenset[str] = frozenset({"model", "tool_calls"})
    facts_from: ClassVar[str | None] = "tool_call"
    graded_by: ClassVar[BuiltIn] = TOOL_USE

    def inapplicable(self, conversation: Conversation) -> str | None:
        if (reason := super().inapplicable(conversation)) is not None:
            return reason
        uses_tools = bool(conversation.tools) or any(turn.tool_calls for turn in conversation.turns)
        return None if uses_tools else "no tools, and no tool calls"


def _handfuls(conversations: Sequence[Conversation], most: int) -> list[list[Conversation]]:
    """Put conversations of the same project together, at most so many."""
    if most == 1:
        return [[one] for one in conversations]
    by_project: dict[str, list[Conversation]] = defaultdict(list)
    for one in conversations:
        by_project[one.project].append(one)
    return [some[start : start + most] for some in by_project.values() for start in range(0, len(some), most)]


def _too_late(deadline: Deadline) -> Failure:
    return failure_of(ModelUnavailable(f"not done within {deadline.seconds:g} s", requests=0))


def _random_nonce() -> str:
    return secrets.token_hex(16)


def _says_something(turn: Turn) -> bool:
    """Whether a turn holds anything of the agent's that a model could grade."""
    if turn.role != "assistant":
        return False
    if turn.tool_calls:
        return True
    said = turn.content.strip(" \t\r\n.:!*#\uff1a\u3002")
    return bool(_WORD.search(said)) and (len(said) > _LONGEST_OPENER or said.casefold() not in _OPENERS)
