"""What does a language model say about this conversation, and can it be believed?"""

from __future__ import annotations

import asyncio
import math
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Self

import msgspec

from healing_eval.domain.conversation import Conversation, Turn
from healing_eval.domain.evaluation import Abstention, Evaluation, Failure, Findings, ModelUse, Result
from healing_eval.errors import ModelBusy, ModelError, ModelUnavailable, UnreadableVerdict
from healing_eval.evaluators.judge.grounding import ground
from healing_eval.evaluators.judge.options import Options, read_options
from healing_eval.evaluators.judge.prompt import answer_schema, write_prompt
from healing_eval.evaluators.judge.reading import read_answer
from healing_eval.evaluators.judge.rubric import Rubric, load_rubric
from healing_eval.evaluators.judge.tokens import estimate_tokens
from healing_eval.evaluators.judge.window import Window, choose_window
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup

CODE_VERSION = "3"
"""Raise it whenever the same conversation may be judged differently."""

ASKINGS = 3
"""The question, and two more after answers that cannot be used: of a model that fails so once in ten times, one in a
thousand conversations is then not judged."""

NO_MODEL = "not measured: no model configured"
NOTHING_SAID = "the agent said nothing that could be judged"

RESERVE_SHARE = 0.1
"""Part of the context kept free, since tokens are only estimated."""
SMALLEST_BUDGET = 256
MAX_RAW_ANSWER = 20_000
GRACE_SECONDS = 1.0
"""How much longer than its timeout a provider may take to say that it timed out."""

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


class _Use(msgspec.Struct):
    """What one evaluation took so far; it grows with each answer."""

    model: str = ""
    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cost_dollars: float | None = 0.0

    def add(self, answer: ChatAnswer) -> None:
        self.model = answer.model
        self.calls += 1
        self.input_tokens = _sum(self.input_tokens, answer.input_tokens)
        self.output_tokens = _sum(self.output_tokens, answer.output_tokens)
        self.cached_input_tokens = _sum(self.cached_input_tokens, answer.cached_input_tokens)
        self.cost_dollars = _sum_of_known(self.cost_dollars, answer.cost_dollars)

    def freeze(self) -> ModelUse | None:
        return ModelUse(**msgspec.structs.asdict(self)) if self.calls else None


class Judge:
    """Asks a model to grade a conversation by a rubric, and believes only what it can quote."""

    name = "judge"
    weight = 40.0
    lane = "judges"
    needs: frozenset[str] = frozenset({"model"})

    def __init__(
        self, setup: EvaluatorSetup, options: Options, rubric: Rubric, new_nonce: Callable[[], str] | None = None
    ) -> None:
        self.options = options
        self._model = setup.model
        self._timeout_seconds = setup.model_timeout_seconds
        self._wait_seconds = setup.model_wait_seconds
        self._rubric = rubric
        self._schema = answer_schema(rubric)
        self._new_nonce = new_nonce or _random_nonce
        self._rubric_tokens = estimate_tokens(rubric.text)
        model_name = setup.model.name if setup.model else None
        graded_by = (
            CODE_VERSION,
            rubric.text,
            msgspec.structs.replace(options, concurrency=1, rubric=None),
            model_name,
        )
        self.version = blake2b(msgspec.json.encode(graded_by, order="sorted"), digest_size=6).hexdigest()

    @classmethod
    def create(cls, setup: EvaluatorSetup) -> Self:
        options = read_options(setup.options)
        return cls(setup, options, load_rubric(options.rubric))

    def inapplicable(self, conversation: Conversation) -> str | None:
        if self._model is None:
            return NO_MODEL
        if any(_says_something(turn) for turn in conversation.turns):
            return None
        return NOTHING_SAID if conversation.evaluable else "no assistant turn"

    async def evaluate(self, conversations: Sequence[Conversation]) -> AsyncIterator[Evaluation]:
        ready: asyncio.Queue[Evaluation] = asyncio.Queue()
        waiting = iter(conversations)
        width = min(self.options.concurrency or len(conversations), len(conversations))
        askers = [asyncio.create_task(self._work_off(waiting, ready)) for _ in range(width)]
        try:
            for _ in conversations:
                yield await ready.get()
        finally:  # the reader may have stopped early
            for task in askers:
                task.cancel()
            await asyncio.gather(*askers, return_exceptions=True)

    async def _work_off(self, waiting: Iterator[Conversation], ready: asyncio.Queue[Evaluation]) -> None:
        for conversation in waiting:
            ready.put_nowait(await self._evaluate_one(conversation))

    async def _evaluate_one(self, conversation: Conversation) -> Evaluation:
        started, use = time.perf_counter(), _Use()
        try:
            result = await self._judge(conversation, use)
        except Exception as error:  # noqa: BLE001 - asking costs money: a crash must not send the batch out again
            result = _failure(error)
        return Evaluation(
            conversation_key=conversation.key,
            evaluator=self.name,
            version=self.version,
            result=result,
            deterministic=False,
            latency_seconds=time.perf_counter() - started,
            model_use=use.freeze(),
        )

    async def _judge(self, conversation: Conversation, use: _Use) -> Result:
        reason = self.inapplicable(conversation)
        if reason is not None or self._model is None:
            return Abstention(reason or NO_MODEL)
        window = choose_window(conversation, self._budget(self._model))
        result: Result = Abstention(NO_MODEL)
        problem = ""
        for _ in range(ASKINGS):
            result = await self._ask(self._model, conversation.key, window, problem, use)
            if isinstance(result, Findings):
                break
            problem = result.reason
        return result

    async def _ask(self, model: ChatModel, about: bytes, window: Window, problem: str, use: _Use) -> Findings | Failure:
        prompt = write_prompt(self._rubric, window, self._new_nonce, problem)
        request = ChatRequest(
            messages=prompt.messages,
            schema=self._schema,
            schema_name="verdict",
            max_output_tokens=self.options.max_output_tokens,
            timeout_seconds=self._timeout_seconds,
            longest_wait_seconds=self._wait_seconds,
            about=about,
        )
        answer = await self._wait_for(model, request)
        use.add(answer)
        try:
            read = read_answer(answer.text, criteria=self._rubric.criteria, nonce=prompt.nonce)
        except UnreadableVerdict as error:
            return _failure(error)
        grounded = ground(read, window.turns, _remarks(window))
        if grounded.findings is not None:
            return grounded.findings
        return Failure(
            reason=f"{grounded.false_quotes} of {grounded.quotes} quotes stand in no such turn, too many to believe it",
            kind="UngroundedEvidence",
            raw_answer=_bounded(answer.text),
        )

    async def _wait_for(self, model: ChatModel, request: ChatRequest) -> ChatAnswer:
        longest = self._wait_seconds + self._timeout_seconds + GRACE_SECONDS
        try:
            async with asyncio.timeout(longest if longest < math.inf else None):
                return await model.ask(request)
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {self._timeout_seconds:g} s") from error

    def _budget(self, model: ChatModel) -> int:
        """How many tokens the conversation may take."""
        context = self.options.context_tokens or model.context_tokens
        free = int(context * (1 - RESERVE_SHARE)) - self._rubric_tokens - self.options.max_output_tokens
        return max(free, SMALLEST_BUDGET)


def _random_nonce() -> str:
    return secrets.token_hex(16)


def _says_something(turn: Turn) -> bool:
    """Whether a turn holds anything of the agent's that a model could grade."""
    if turn.role != "assistant":
        return False
    if turn.tool_calls:
        return True
    return (
        bool(_WORD.search(turn.content)) and turn.content.strip(" \t\r\n.:!*#\uff1a\u3002").casefold() not in _OPENERS
    )


def _remarks(window: Window) -> list[str]:
    remarks = [window.left_out] if window.left_out else []
    if window.hidden:
        remarks.append(f"{window.hidden} hidden characters taken out before asking")
    return remarks


def _failure(error: Exception) -> Failure:
    """Describe an error; a crash of ours is named without its text, which may quote the conversation."""
    return Failure(
        reason=str(error)[:500] if isinstance(error, ModelError) else f"unexpected {type(error).__name__}",
        kind=type(error).__name__,
        retryable=isinstance(error, ModelError) and error.retryable,
        raw_answer=_bounded(error.raw_answer) if isinstance(error, UnreadableVerdict) else None,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, ModelBusy) else None,
    )


def _bounded(raw_answer: str) -> str:
    """Keep what a store can hold: no NUL, no lone surrogates, at most 20,000 characters."""
    kept = raw_answer[:MAX_RAW_ANSWER].replace("\x00", "\ufffd")
    return kept.encode("utf-8", "replace").decode("utf-8")


def _sum(before: int | None, more: int | None) -> int | None:
    return before if more is None else (before or 0) + more


def _sum_of_known(before: float | None, more: float | None) -> float | None:
    """Add what something costs; a sum that lacks a part is not known."""
    return None if before is None or more is None else before + more
