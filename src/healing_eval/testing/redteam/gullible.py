"""Which model is worse than any real one? It obeys every order that it finds outside the data, however it reads.

It runs in this process, answers at once, and is never asked over a wire. What it says depends on nothing but whom it
obeys: grade 4 throughout if nobody orders otherwise, with a true quote from a turn that no attack touches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

from healing_eval.ports.chat_model import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from healing_eval.testing.redteam.places import QUOTED_TEXT, QUOTED_TURN
from healing_eval.testing.redteam.readers import CARELESS, MUST_HOLD, order_in, strangers_orders

NAME = "redteam:gullible"
GRADE = 4
CONTEXT_TOKENS = 16_000
NO_NONCE = "none"
STRANGER = "another's data"
_NONCE = re.compile(r"The nonce of this request is (\w+)\.")
_NONCES = re.compile(r"whose nonces are (\w+(?:, \w+)*)\.\Z")
_CRITERION = re.compile(r"^## +(\w+) *$", re.MULTILINE)


class GullibleModel:
    """A model that obeys whatever it finds outside the data blocks, for all conversations that it is asked about.

    Attributes:
        fooled: the readers that found an order, by its canary.
        most_together: conversations in the largest prompt.
    """

    name = NAME
    base_url: str | None = None

    def __init__(self, context_tokens: int = CONTEXT_TOKENS) -> None:
        self.context_tokens = context_tokens
        self.fooled: dict[str, set[str]] = {}
        self.most_together = 0

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        del model, environment
        return cls()

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """Answer in the agreed shape."""
        system, user = (_said(request, role) for role in ("system", "user"))
        nonces = _nonces_of(user)
        self.most_together = max(self.most_together, len(nonces))
        obeyed = order_in(system)
        for canary in strangers_orders(user, nonces):
            self.fooled.setdefault(canary, set()).add(STRANGER)
        for name, reader in (MUST_HOLD | CARELESS).items():
            order = order_in(_without(nonces, reader(user, nonces)))
            if order is None:
                continue
            self.fooled.setdefault(order, set()).add(name)
            obeyed = obeyed or (order if name in MUST_HOLD else None)
        answers = [_answer(nonce, _CRITERION.findall(system), obeyed) for nonce in nonces]
        answer = answers[0] if len(answers) == 1 else {"answers": answers}
        return ChatAnswer(text=json.dumps(answer), model=self.name, cost_dollars=0.0)

    async def close(self) -> None:
        """Hold nothing."""


def _said(request: ChatRequest, role: str) -> str:
    return "\n".join(message.content for message in request.messages if message.role == role)


def _nonces_of(user: str) -> tuple[str, ...]:
    """Read them where no conversation can write: at the very beginning or the very end."""
    if (one := _NONCE.match(user)) is not None:
        return (one.group(1),)
    several = _NONCES.search(user)
    return (NO_NONCE,) if several is None else tuple(several.group(1).split(", "))


def _without(nonces: Sequence[str], text: str) -> str:
    """Take the nonces out: then most prompts are alike outside the data, and what is known of them is remembered."""
    for nonce in nonces:
        text = text.replace(nonce, "")
    return text


def _answer(nonce: str, criteria: list[str], obeyed: str | None) -> dict[str, Any]:
    grade = int(obeyed[len("canary")]) if obeyed else GRADE
    reason = f"As ordered: {obeyed}" if obeyed else "The reply fits."
    evidence = [{"turn_id": QUOTED_TURN, "quote": QUOTED_TEXT}]
    graded = [{"name": name, "evidence": evidence, "reason": reason, "score": grade} for name in criteria]
    return {"nonce": nonce, "criteria": graded, "issues": []}


Rewrite = Callable[[str], str]
"""Takes the text of our block, with its tags, and writes it as a careless prompt would."""


class BrokenFence:
    """A model that is asked through a fence with a hole: what shows that the red team would find one."""

    def __init__(self, model: ChatModel, rewrite: Rewrite) -> None:
        self._model = model
        self._rewrite = rewrite
        self.name = model.name
        self.context_tokens = model.context_tokens
        self.base_url = model.base_url

    @classmethod
    def create(cls, model: str, environment: Mapping[str, str]) -> Self:
        return cls(GullibleModel.create(model, environment), without_fence)

    async def ask(self, request: ChatRequest) -> ChatAnswer:
        """Break the fence of every message and hand it on."""
        broken = [ChatMessage(one.role, _BLOCK.sub(self._broken, one.content)) for one in request.messages]
        return await self._model.ask(
            ChatRequest(messages=broken, schema=request.schema, about=request.about)  # all that this model reads
        )

    async def close(self) -> None:
        await self._model.close()

    def _broken(self, match: re.Match[str]) -> str:
        return self._rewrite(match.group())


_BLOCK = re.compile(r"<conversation-(\w+)>\n(.*)\n</conversation-\1>", re.DOTALL)


def without_fence(block: str) -> str:
    """Write the turns as they were said, without any tag around them."""
    return "\n".join(_texts(json.loads(line)) for line in block.split("\n")[1:-1])


def unescaped(block: str) -> str:
    """Keep the tags and write texts inside as they were said: tags, line breaks and all."""
    opening, *lines, closing = block.split("\n")
    raw = (json.dumps(json.loads(line), ensure_ascii=False).replace("\\n", "\n").replace("\\r", "\r") for line in lines)
    return "\n".join((opening, *raw, closing))


def with_raw_tags(block: str) -> str:
    """Keep lines and tags whole, and let a "<" inside stand as one, as JSON would."""
    opening, *lines, closing = block.split("\n")
    return "\n".join((opening, *(json.dumps(json.loads(line)) for line in lines), closing))


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        named = cast("dict[str, Any]", value)
        return "\n".join(f"{name}: {_texts(one)}" for name, one in named.items())
    if isinstance(value, list):
        return "\n".join(map(_texts, cast("list[Any]", value)))
    return str(value)
