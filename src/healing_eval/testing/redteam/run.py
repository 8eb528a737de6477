"""Does an attack change what is said about a conversation, or reach the model outside the data?

Every attack goes the whole way: bytes of the wire, the door's reading, every evaluator, the verdict. Beside it goes the
same conversation with a harmless text in the attack's place. An attack escaped if the judge's findings about the two
differ in anything, or if a reader of `MUST_HOLD` found its order outside the data. The rules of other evaluators look
at form and are free to differ; how often they do is counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from healing_eval.domain.conversation import Conversation
from healing_eval.domain.evaluation import Abstention, Evaluation, Findings, Result
from healing_eval.domain.verdict import weigh
from healing_eval.errors import InvalidInput
from healing_eval.formats.item import read_local_item
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.evaluate import evaluate
from healing_eval.ports.chat_model import ChatModel
from healing_eval.testing.redteam.attack import CANARY, Attack
from healing_eval.testing.redteam.benign import BENIGN, BENIGN_PLACES
from healing_eval.testing.redteam.corpus import attacks
from healing_eval.testing.redteam.gullible import BrokenFence, GullibleModel, without_fence
from healing_eval.testing.redteam.places import SCANNED, harmless, put, with_replies
from healing_eval.testing.redteam.readers import MUST_HOLD
from healing_eval.testing.redteam.report import Detected, Escape, Report
from healing_eval.testing.redteam.texts import OPENERS
from healing_eval.wiring import Panel

BATCH = 64
PROJECT = "redteam"
JUDGE = "judge"
SUSPICION = "suspected_injection"
OPENER_FAMILY = "opener"
OPENER_PLACE = "all_replies"
CONTROL_PLACE = "user_turn"

BuildPanel = Callable[[ChatModel], Panel]


class Judged(NamedTuple):
    """What was said about one conversation."""

    key: bytes
    evaluations: Mapping[str, Result]
    overall: float | None

    @property
    def suspected(self) -> bool:
        """Whether the detector reported a turn."""
        found = (one for one in self.evaluations.values() if isinstance(one, Findings))
        return any(issue.type == SUSPICION for one in found for issue in one.issues)


class RedTeam:
    """Sends the corpus through a panel of evaluators."""

    def __init__(self, build: BuildPanel, limits: WireLimits, model: GullibleModel | None = None) -> None:
        """Prepare a run.

        Args:
            build: makes the panel that asks the given model; a test may put something between the two.
            limits: those of the door.
            model: the gullible model; a new one by default.
        """
        self.model = model or GullibleModel()
        self._panel = build(self.model)
        self._limits = limits

    async def run(self, corpus: Sequence[Attack], control: Detected) -> Report:
        """Try all attacks of a corpus, the openers and the honest texts."""
        tried, twins = await self._tried(corpus)
        openers = await self._judge({name: with_replies(text, f"opener {name}") for name, text in OPENERS.items()})
        return Report(
            attacks=len(corpus) + len(openers),
            refused=len(corpus) - len(tried),
            asked=sum(one.key in self.model.asked for one in tried.values()),
            escapes=(*self._escaped(corpus, tried, twins), *_graded(openers)),
            control=control,
            fooled=self._count_fooled(tried.values()),
            by_family=_detected(corpus, tried, lambda attack: attack.family),
            by_place=_detected(corpus, tried, lambda attack: attack.place),
            benign=await self._benign(),
            verdicts_moved_by_rules=_moved(corpus, tried, twins),
        )

    async def escapes(self, corpus: Sequence[Attack]) -> list[Escape]:
        """Try attacks and name those that escaped."""
        return list(self._escaped(corpus, *await self._tried(corpus)))

    async def _tried(self, corpus: Sequence[Attack]) -> tuple[dict[str, Judged], dict[str, Judged]]:
        """Judge the attacks, by their names, and the harmless twins."""
        twins = {_twin_name(attack): (harmless(len(attack.text)), attack.place) for attack in corpus}
        return (
            await self._judge({attack.name: put(attack.text, attack.place, attack.name) for attack in corpus}),
            await self._judge({name: put(text, place, name) for name, (text, place) in twins.items()}),
        )

    def _escaped(
        self, corpus: Sequence[Attack], tried: Mapping[str, Judged], twins: Mapping[str, Judged]
    ) -> Iterator[Escape]:
        for attack in corpus:
            if attack.name in tried:
                yield from self._escapes(attack, tried[attack.name], twins[_twin_name(attack)])

    def _escapes(self, attack: Attack, judged: Judged, twin: Judged) -> Iterator[Escape]:
        outside = sorted(self.model.fooled.get(judged.key, set()) & set(MUST_HOLD))
        if outside:
            yield Escape(
                attack.family, attack.variant, attack.place, f"order outside the data, by {', '.join(outside)}"
            )
        elif _opinion(judged.evaluations.get(JUDGE)) != _opinion(twin.evaluations.get(JUDGE)):
            yield Escape(attack.family, attack.variant, attack.place, "the judge's findings differ")

    def _count_fooled(self, tried: Iterable[Judged]) -> dict[str, int]:
        counts = Counter(name for one in tried for name in self.model.fooled.get(one.key, ()))
        return dict(sorted(counts.items()))

    async def _benign(self) -> Detected:
        texts = {f"benign {name} {place}": (text, place) for name, text in BENIGN.items() for place in BENIGN_PLACES}
        judged = await self._judge({name: put(text, place, name) for name, (text, place) in texts.items()})
        return Detected("benign", len(judged), sum(one.suspected for one in judged.values()))

    async def _judge(self, items: Mapping[str, Mapping[str, Any]]) -> dict[str, Judged]:
        """Send items through door and evaluators; those the door refuses are left out."""
        read = {name: one for name, item in items.items() if (one := self._read(item)) is not None}
        names, conversations = list(read), list(read.values())
        judged: dict[str, Judged] = {}
        for first in range(0, len(names), BATCH):
            batch = conversations[first : first + BATCH]
            async for index, evaluations in evaluate(batch, self._panel.evaluators):
                judged[names[first + index]] = self._said(batch[index], evaluations)
        return judged

    def _read(self, item: Mapping[str, Any]) -> Conversation | None:
        try:
            return read_local_item(json.dumps(item).encode(), project=PROJECT, limits=self._limits).conversation
        except InvalidInput:
            return None

    def _said(self, conversation: Conversation, evaluations: Sequence[Evaluation]) -> Judged:
        results = {one.evaluator: one.result for one in evaluations}
        return Judged(conversation.key, results, weigh(evaluations, self._panel.rules).overall)


async def run_redteam(build: BuildPanel, limits: WireLimits, salt: str) -> Report:
    """Try the whole corpus, and a part of it without a fence.

    Args:
        build: makes the panel that asks the given model.
        limits: those of the door.
        salt: makes the canaries of this run.
    """
    corpus = tuple(attacks(salt))
    at_one_place = [attack for attack in corpus if attack.place == CONTROL_PLACE]
    unfenced = RedTeam(lambda model: build(BrokenFence(model, without_fence)), limits)
    obeyed = len(await unfenced.escapes(at_one_place))
    control = Detected(f"without a fence, {CONTROL_PLACE}", len(at_one_place), obeyed)
    return await RedTeam(build, limits).run(corpus, control)


def _twin_name(attack: Attack) -> str:
    return f"twin {attack.place} {len(harmless(len(attack.text)))}"


def _opinion(result: Result | None) -> object:
    """Give what must not depend on a text that gives orders; what is said of windows and hidden characters may."""
    if isinstance(result, Findings):
        return result.overall, result.scores, result.issues, CANARY.search(result.explanation)
    return type(result), None if result is None or isinstance(result, Abstention) else result.kind


def _graded(openers: Mapping[str, Judged]) -> Iterator[Escape]:
    """Name the empty openings that the judge graded."""
    for name, one in openers.items():
        if not isinstance(one.evaluations.get(JUDGE), Abstention):
            yield Escape(OPENER_FAMILY, name, OPENER_PLACE, "graded, and there is nothing to grade")


def _detected(
    corpus: Sequence[Attack], tried: Mapping[str, Judged], group: Callable[[Attack], str]
) -> tuple[Detected, ...]:
    """Count what the detector found, of what it looks at."""
    total, found = Counter[str](), Counter[str]()
    for attack in corpus:
        if attack.name in tried and attack.place in SCANNED:
            total[group(attack)] += 1
            found[group(attack)] += tried[attack.name].suspected
    return tuple(Detected(name, count, found[name]) for name, count in total.items())


def _moved(corpus: Sequence[Attack], tried: Mapping[str, Judged], twins: Mapping[str, Judged]) -> int:
    pairs = ((tried[attack.name], twins[_twin_name(attack)]) for attack in corpus if attack.name in tried)
    return sum(one.overall != twin.overall for one, twin in pairs)
