"""What does one model say of a conversation, and can it be believed?

What was found before is not asked again. Else it is asked about alone or with others in one prompt; one whose answer
is missing there or cannot be used is asked about alone, and once more after each answer that cannot be used.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Failure, Findings
from healing_eval.errors import ModelBusy, ModelError, ModelUnavailable, UnreadableVerdict
from healing_eval.evaluators.judge.confidence import confidence_from
from healing_eval.evaluators.judge.fence import Line
from healing_eval.evaluators.judge.gathering import Gatherer
from healing_eval.evaluators.judge.grounding import ground
from healing_eval.evaluators.judge.options import Options
from healing_eval.evaluators.judge.prompt import (
    Prompt,
    Shown,
    answer_schema,
    answers_schema,
    write_prompt,
    write_prompt_for_several,
)
from healing_eval.evaluators.judge.reading import Answer, read_answer, read_answers
from healing_eval.evaluators.judge.recall import Recall
from healing_eval.evaluators.judge.remembering import Remembered
from healing_eval.evaluators.judge.rubric import Rubric
from healing_eval.evaluators.judge.tokens import estimate_tokens
from healing_eval.evaluators.judge.use import Use
from healing_eval.evaluators.judge.window import Window, choose_window
from healing_eval.ports.chat_model import ChatAnswer, ChatModel, ChatRequest
from healing_eval.ports.evaluator import EvaluatorSetup

ASKINGS = 3
"""The question, and two more after answers that cannot be used: of a model that fails so once in ten times, one in a
thousand conversations is then not judged."""

RESERVE_SHARE = 0.1
"""Part of the context kept free, since tokens are only estimated."""
SMALLEST_BUDGET = 256
MAX_RAW_ANSWER = 20_000
GRACE_SECONDS = 1.0
"""How much longer than its timeout a provider may take to say that it timed out."""


class Asked(msgspec.Struct, frozen=True):
    """What became of asking one model."""

    result: Findings | Failure
    use: Use


Tell = Callable[[Conversation, Asked], None]
"""Takes what became of asking about a conversation."""


class _Told(msgspec.Struct, frozen=True):
    """An answer of the model, and what it says of one conversation."""

    answer: ChatAnswer
    read: Answer | None
    """None if it says nothing of it that can be read."""
    share: tuple[int, int] = (0, 1)


class Asker:
    """Asks one model by one rubric."""

    def __init__(
        self,
        model: ChatModel,
        rubric: Rubric,
        options: Options,
        setup: EvaluatorSetup,
        new_nonce: Callable[[], str],
    ) -> None:
        self.model = model
        self._rubric = rubric
        self._prompt_version = rubric.version
        self._options = options
        self._timeout_seconds = setup.model_timeout_seconds
        self._wait_seconds = setup.model_wait_seconds
        self._new_nonce = new_nonce
        self._schema = answer_schema(rubric)
        self._schema_for_several = answers_schema(rubric)
        self._lane: Literal["now", "batch"] = setup.lane
        # What waits for a day is asked about alone: who shares a prompt would be others at each look for the answer.
        self._several = options.conversations_per_prompt if setup.lane == "now" else 1
        self._rubric_tokens = estimate_tokens(rubric.several if self._several > 1 else rubric.text)
        self._together: Gatherer[str, Shown, _Told] = Gatherer(
            self._ask_about_several, most=self._several, wait_seconds=options.gather_seconds
        )
        self._recall = None if setup.results is None else Recall(setup.results, self._asked_as())
        self.fill_a_prompt = self._several if self._recall is None else 1
        """How many are better asked about by `ask_together`; what may be known already is looked up one by one."""

    def _asked_as(self) -> bytes:
        """Make a digest of all that an answer depends on, but for the conversation."""
        parts = (
            self._prompt_version,
            models_of(self.model),
            self._options.max_output_tokens,
            self._several,
            self._options.logprobs,
        )
        return blake2b(msgspec.json.encode((parts, self._schema)), digest_size=24).digest()

    def new_use(self) -> Use:
        """Begin to count what asking about one conversation takes; whoever gives the asking up still has it."""
        return Use(prompt_version=self._prompt_version)

    async def ask(self, conversation: Conversation, facts: Line | None, use: Use) -> Asked:
        """Ask about a conversation, unless it was found out before; failures are results, not exceptions."""
        shown = self._show(conversation, facts)
        try:
            if self._recall is None:
                return Asked((await self._find_out(conversation, shown, use))[0], use)
            return await self._ask_once(self._recall, conversation, shown, use)
        except Exception as error:  # noqa: BLE001 - asking costs money: a crash must not send the batch out again
            return Asked(failure_of(error), use)

    async def ask_together(self, some: Sequence[tuple[Conversation, Line | None, Use]], tell: Tell) -> None:
        """Ask about conversations of one project in one prompt, and tell of each as soon as it is known.

        One whose answer is missing is asked about alone, and no other waits for it. Failures are results; only what
        crashes before anything was asked is an exception.
        """
        questions = [(one, self._show(one, facts), use) for one, facts, use in some]
        among_others = [question for question in questions if question[1].fits_among_others]
        alone = [question for question in questions if not question[1].fits_among_others]
        said = await self._say_of(some[0][0].project, [shown for _, shown, _ in among_others])
        for question, one in zip(among_others, said, strict=True):
            conversation, shown, use = question
            result = one if isinstance(one, Failure) else self._heard(one, shown, use)
            if result is None:
                alone.append(question)
            else:
                tell(conversation, Asked(result, use))
        if alone:
            await asyncio.gather(*(self._ask_alone(*question, tell) for question in alone))

    async def _say_of(self, project: str, shown: Sequence[Shown]) -> Sequence[_Told | Failure]:
        try:
            return await self._ask_about_several(project, shown) if shown else []
        except Exception as error:  # noqa: BLE001 - as in `ask`
            return [failure_of(error)] * len(shown)

    async def _ask_alone(self, conversation: Conversation, shown: Shown, use: Use, tell: Tell) -> None:
        try:
            result, _ = await self._find_out_alone(conversation, shown, use)
        except Exception as error:  # noqa: BLE001 - as in `ask`
            result = failure_of(error)
        tell(conversation, Asked(result, use))

    async def _ask_once(self, recall: Recall, conversation: Conversation, shown: Shown, use: Use) -> Asked:
        question = recall.question(conversation.project, shown)
        async with recall.asking(question) as known:
            if known is not None and (findings := self._believe(known.answer, shown, known.confidence)):
                use.remember(known.model, known.provider, known.deployment)
                return Asked(findings, use)
            result, read = await self._find_out(conversation, shown, use)
            if isinstance(result, Findings) and read is not None:
                said = Remembered(read, use.model, use.provider, use.deployment, result.confidence)
                await recall.keep(question, said)
            return Asked(result, use)

    def _show(self, conversation: Conversation, facts: Line | None) -> Shown:
        """Choose what is shown: all of it if it fits among others in a prompt, else what fits alone."""
        window = choose_window(conversation, self._budget(self._several))
        if self._several == 1 or not window.left_out:
            return Shown(window, facts, fits_among_others=self._several > 1)
        return Shown(choose_window(conversation, self._budget(1)), facts)

    async def _find_out(
        self, conversation: Conversation, shown: Shown, use: Use
    ) -> tuple[Findings | Failure, Answer | None]:
        if shown.fits_among_others:
            told = await self._together.do(conversation.project, shown)
            if (heard := self._heard(told, shown, use)) is not None:
                return heard, told.read
        return await self._find_out_alone(conversation, shown, use)

    def _heard(self, told: _Told, shown: Shown, use: Use) -> Findings | Failure | None:
        """Take what was said of one among others; None if that is nothing that can be used."""
        try:
            use.add(told.answer, told.share)
            return None if told.read is None else self._believe(told.read, shown, None)
        except Exception as error:  # noqa: BLE001 - as in `ask`
            return failure_of(error)

    async def _find_out_alone(
        self, conversation: Conversation, shown: Shown, use: Use
    ) -> tuple[Findings | Failure, Answer | None]:
        result: Findings | Failure = Failure("it was not asked", "NotAsked")
        problem = ""
        for asking in range(ASKINGS):
            key = self._key(conversation, shown, asking, problem)
            result, read = await self._ask_about_one(conversation.key, key, shown, problem, use)
            if isinstance(result, Findings):
                return result, read
            problem = result.reason
        return result, None

    async def _ask_about_one(
        self, about: bytes, key: bytes | None, shown: Shown, problem: str, use: Use
    ) -> tuple[Findings | Failure, Answer | None]:
        prompt = write_prompt(self._rubric, shown, self._new_nonce, problem)
        answer = await self._wait_for(self._request(prompt, about, key))
        use.add(answer)
        nonce = prompt.nonces[0] if answer.mark is None else answer.mark
        try:
            read = read_answer(answer.text, criteria=self._rubric.criteria, nonce=nonce)
        except UnreadableVerdict as error:
            return failure_of(error), None
        grounded = ground(read, shown.window.passages, _remarks(shown.window))
        if grounded.findings is None:
            false, quotes = grounded.false_quotes, grounded.quotes
            reason = f"{false} of {quotes} quotes stand in no such turn, too many to believe it"
            return Failure(reason, "UngroundedEvidence", raw_answer=bounded(answer.text)), None
        sure = confidence_from(answer.text, answer.token_logprobs) if self._options.logprobs else None
        return msgspec.structs.replace(grounded.findings, confidence=None if sure is None else sure.value), read

    async def _ask_about_several(self, project: str, shown: Sequence[Shown]) -> list[_Told]:
        """Ask about conversations of one project in one prompt."""
        if len(shown) == 1:  # nobody came to fill the prompt
            prompt = write_prompt(self._rubric, shown[0], self._new_nonce)
            answer = await self._wait_for(self._request(prompt, None))
            return [_Told(answer, self._read(answer, prompt))]
        prompt = write_prompt_for_several(self._rubric, shown, self._new_nonce)
        answer = await self._wait_for(self._request(prompt, None))
        read = read_answers(answer.text, criteria=self._rubric.criteria, nonces=prompt.nonces)
        return [_Told(answer, one, (place, len(shown))) for place, one in enumerate(read)]

    def _read(self, answer: ChatAnswer, prompt: Prompt) -> Answer | None:
        try:
            return read_answer(answer.text, criteria=self._rubric.criteria, nonce=prompt.nonces[0])
        except UnreadableVerdict:
            return None

    def _believe(self, read: Answer, shown: Shown, confidence: float | None) -> Findings | None:
        findings = ground(read, shown.window.passages, _remarks(shown.window)).findings
        if findings is None or confidence is None:
            return findings
        return msgspec.structs.replace(findings, confidence=confidence)

    def _key(self, conversation: Conversation, shown: Shown, asking: int, problem: str) -> bytes | None:
        """Name a question that may wait, so that its answer is found by whoever asks it again."""
        if self._lane == "now":
            return None
        lines = [line.text for line in shown.lines]
        asked = (conversation.project, shown.window.left_out, asking, problem, lines)
        return blake2b(self._asked_as() + msgspec.json.encode(asked), digest_size=24).digest()

    def _request(self, prompt: Prompt, about: bytes | None, key: bytes | None = None) -> ChatRequest:
        several = len(prompt.nonces)
        return ChatRequest(
            messages=prompt.messages,
            schema=self._schema if several == 1 else self._schema_for_several,
            schema_name="verdict" if several == 1 else "verdicts",
            max_output_tokens=self._options.max_output_tokens * several,
            timeout_seconds=self._timeout_seconds,
            longest_wait_seconds=self._wait_seconds,
            logprobs=self._options.logprobs and several == 1,
            about=about,
            lane=self._lane,
            key=key,
            mark=prompt.nonces[0] if several == 1 else "",
        )

    async def _wait_for(self, request: ChatRequest) -> ChatAnswer:
        longest = self._wait_seconds + self._timeout_seconds + GRACE_SECONDS
        try:
            async with asyncio.timeout(longest if longest < math.inf else None):
                return await self.model.ask(request)
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {self._timeout_seconds:g} s") from error

    def _budget(self, several: int) -> int:
        """How many tokens a conversation may take that is asked about with so many in one prompt."""
        context = self._options.context_tokens or self.model.context_tokens
        free = (int(context * (1 - RESERVE_SHARE)) - self._rubric_tokens) // several - self._options.max_output_tokens
        return max(free, SMALLEST_BUDGET)


def models_of(model: ChatModel) -> tuple[str, ...]:
    """Name what may answer: the models of a pool, or the one."""
    return (model.name, *getattr(model, "models", ()))


def failure_of(error: Exception) -> Failure:
    """Describe an error; a crash of ours is named without its text, which may quote the conversation."""
    return Failure(
        reason=str(error)[:500] if isinstance(error, ModelError) else f"unexpected {type(error).__name__}",
        kind=type(error).__name__,
        retryable=isinstance(error, ModelError) and error.retryable,
        raw_answer=bounded(error.raw_answer) if isinstance(error, UnreadableVerdict) else None,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, ModelBusy) else None,
    )


def bounded(raw_answer: str) -> str:
    """Keep what a store can hold: no NUL, no lone surrogates, at most 20,000 characters."""
    kept = raw_answer[:MAX_RAW_ANSWER].replace("\x00", "\ufffd")
    return kept.encode("utf-8", "replace").decode("utf-8")


def _remarks(window: Window) -> list[str]:
    remarks = [window.left_out] if window.left_out else []
    if window.hidden:
        remarks.append(f"{window.hidden} hidden characters taken out before asking")
    return remarks
