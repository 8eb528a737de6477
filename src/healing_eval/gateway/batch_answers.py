"""What did a provider answer, as it is kept? Its words are somebody else's, names of questions included."""

from __future__ import annotations

import msgspec

from healing_eval.errors import ModelError
from healing_eval.gateway.priced import priced_batch_answer
from healing_eval.gateway.prices import Prices
from healing_eval.ports.batch_model import BatchAnswer


class Page:
    """Answers of one batch that are noted together."""

    def __init__(self, deployment: str, model: str, prices: Prices, price_share: float) -> None:
        """Take who answers, as `provider:model` too, and what that costs."""
        self._deployment = deployment
        self._provider = model.partition(":")[0]
        self._prices = prices
        self._price_share = price_share
        self._answers: dict[bytes, bytes] = {}
        self._failed: set[bytes] = set()
        self.reason: str | None = None
        """Why one of those was not answered that were put here so far; None if each was."""

    @property
    def size(self) -> int:
        """How many answers and failures are on it."""
        return len(self._answers) + len(self._failed)

    def put(self, one: BatchAnswer) -> None:
        """Add an answer, or that there is none; what names no question of ours, or one for the second time, is not."""
        key = _key_of(one.name)
        if key is None or key in self._answers or key in self._failed:
            return
        if isinstance(one.result, ModelError):
            self._failed.add(key)
            self.reason = str(one.result)
            return
        answer = priced_batch_answer(one.result, self._prices, self._price_share)
        answer = msgspec.structs.replace(answer, deployment=self._deployment, provider=self._provider)
        self._answers[key] = msgspec.json.encode(answer)

    def take(self) -> tuple[dict[bytes, bytes], set[bytes]]:
        """Give answers by the keys of their questions, and the keys of those that failed; the page is then empty."""
        taken = self._answers, self._failed
        self._answers, self._failed = {}, set()
        return taken


def _key_of(name: str) -> bytes | None:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return None
