"""How many tokens does an evaluation take? As measured where evaluations are kept, or as told; never made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from healing_eval.cli.store_verbs import with_ledger
from healing_eval.cli.stores import store_file
from healing_eval.config import Settings
from healing_eval.domain.evaluation import ModelUse
from healing_eval.domain.query import MAX_PAGE, EvaluationQuery
from healing_eval.errors import ConfigError
from healing_eval.gateway.quotes import Taken
from healing_eval.ports.ledger import Ledger

MOST = 1000
"""Evaluations looked at of each evaluator, the newest: enough to know a mean, and ten pages to read."""


class Sizes(msgspec.Struct, frozen=True):
    """What evaluations of one evaluator took."""

    taken: tuple[Taken, ...]
    source: str
    """Where that is known from."""
    is_measured: bool = True
    """False: somebody said so."""


SizesOf = dict[str, Sizes]
"""By evaluator; one of whom nothing is known is not in it."""


def told_sizes(told: Sequence[str], evaluators: Sequence[str]) -> SizesOf:
    """Read `[EVALUATOR=]INPUT,OUTPUT`; without a name it holds for all that are not named.

    Raises:
        ConfigError: one is something else.
    """
    sizes: SizesOf = {}
    for one in sorted(told, key=lambda text: "=" in text):
        name, _, counts = one.rpartition("=")
        if name and name not in evaluators:
            raise ConfigError(f"--tokens: no evaluator {name!r} among those compared: {', '.join(evaluators)}")
        taken = _read_counts(counts, one)
        sizes |= {of: Sizes((taken,), "as told by --tokens", False) for of in ([name] if name else evaluators)}
    return sizes


def _read_counts(counts: str, whole: str) -> Taken:
    numbers = [part.strip() for part in counts.split(",")]
    if len(numbers) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 9 for part in numbers):
        raise ConfigError(f"--tokens: expected [EVALUATOR=]INPUT,OUTPUT, such as 1800,350, got {whole!r}")
    return Taken(input_tokens=float(numbers[0]), output_tokens=float(numbers[1]))


class _Evaluation(msgspec.Struct):
    evaluator: str
    model_use: ModelUse | None = None


class _Line(msgspec.Struct):
    evaluations: list[_Evaluation]


def sizes_in_file(file: Path, evaluators: Sequence[str]) -> SizesOf:
    """Read what `healing-eval evaluate --format json` wrote.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    uses: dict[str, list[ModelUse | None]] = {}
    try:
        with file.open("rb") as opened:
            for number, line in enumerate(opened, start=1):
                for one in _read_line(line, file, number).evaluations:
                    uses.setdefault(one.evaluator, []).append(one.model_use)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    return _sizes({name: uses.get(name, []) for name in evaluators}, f"in {file}")


def _read_line(line: bytes, file: Path, number: int) -> _Line:
    try:
        return msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        expected = "expected what 'healing-eval evaluate --format json' writes"
        raise ConfigError(f"{file}, line {number}: {error}; {expected}") from error


def stored_sizes(settings: Settings, project: str, evaluators: Sequence[str], days: int) -> SizesOf:
    """Look at the newest evaluations in the store; none where there is no store yet.

    Raises:
        BackendError: the store does not answer.
        ConfigError: it cannot be one.
    """
    file = store_file(settings)
    if not evaluators or (file is not None and not file.exists()):  # opening would make it
        return {}

    async def read(ledger: Ledger) -> dict[str, list[ModelUse | None]]:
        since = EvaluationQuery(evaluated_from=await ledger.now() - timedelta(days=days), limit=MAX_PAGE)
        return {name: await _newest(ledger, project, since, name) for name in evaluators}

    return _sizes(with_ledger(settings, read), f"the newest in the store, {days} days back")


async def _newest(ledger: Ledger, project: str, since: EvaluationQuery, evaluator: str) -> list[ModelUse | None]:
    query = msgspec.structs.replace(since, evaluators=(evaluator,))
    uses: list[ModelUse | None] = []
    while len(uses) < MOST:
        page = await ledger.query(project, query)
        uses += [one.model_use for found in page.items for one in found.evaluations if one.evaluator == evaluator]
        if page.next_cursor is None:
            break
        query = msgspec.structs.replace(query, cursor=page.next_cursor)
    return uses


def _sizes(uses: dict[str, list[ModelUse | None]], where: str) -> SizesOf:
    measured = {name: tuple(_taken(of)) for name, of in uses.items()}
    return {name: Sizes(taken, where) for name, taken in measured.items() if taken}


def _taken(uses: Iterable[ModelUse | None]) -> Iterator[Taken]:
    """Take what asked a model that counts tokens, and of several models the share of one."""
    for use in uses:
        if use is None or use.input_tokens is None or use.output_tokens is None:
            continue
        answered = sum(vote.model is not None for vote in use.votes) or 1
        yield Taken(
            input_tokens=use.input_tokens / answered,
            output_tokens=use.output_tokens / answered,
            cached_input_tokens=(use.cached_input_tokens or 0) / answered,
            calls=max(1.0, use.calls / answered),
        )
