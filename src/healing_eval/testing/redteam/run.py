"""Does an attack change what is said about any conversation, or reach the model outside the data?

Every attack goes the whole way: bytes of the wire, the door's reading, every evaluator, the verdict. Beside it goes the
same conversation with a harmless text in the attack's place. An attack escaped if a judge's findings about the two
differ in anything, if those about an honest neighbour in its prompt do, or if a reader of `MUST_HOLD` found its order
outside the data. The rules of other evaluators look at form and are free to differ; how often they do is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from healing_eval.domain.evaluation import Abstention
from healing_eval.formats.limits import WireLimits
from healing_eval.panel import Panel
from healing_eval.ports.chat_model import ChatModel
from healing_eval.testing.redteam.attack import CANARY, Attack
from healing_eval.testing.redteam.benign import BENIGN, BENIGN_PLACES
from healing_eval.testing.redteam.corpus import attacks
from healing_eval.testing.redteam.form import ALONE, FORMS, REMEMBERED, BuildPanel, Form
from healing_eval.testing.redteam.gullible import STRANGER, BrokenFence, GullibleModel, without_fence
from healing_eval.testing.redteam.judging import Court, Judged
from healing_eval.testing.redteam.likeness import DIFFERENT, FAMILY, LIKE, pairs_that_share, poisoned
from healing_eval.testing.redteam.neighbours import honest, judge_among
from healing_eval.testing.redteam.places import SCANNED, harmless, put, with_replies
from healing_eval.testing.redteam.readers import MUST_HOLD
from healing_eval.testing.redteam.report import Detected, Escape, Report, Tried
from healing_eval.testing.redteam.texts import OPENERS

OPENER_FAMILY = "opener"
OPENER_PLACE = "all_replies"
CONTROL_PLACE = "user_turn"
CONTEXT_TOKENS_FOR_EACH = 8_000


class Outcome(NamedTuple):
    """What became of a corpus in one form."""

    tried: dict[str, Judged]
    """By the names of the attacks; those that the door refused are not in it."""
    twins: dict[str, Judged]
    escapes: tuple[Escape, ...]


class RedTeam:
    """Sends a corpus through a panel of evaluators, in one form."""

    def __init__(self, build: Callable[[ChatModel], Panel], limits: WireLimits, form: Form = ALONE) -> None:
        """Prepare a run.

        Args:
            build: makes the panel that asks the given model; a test may put something between the two.
            limits: those of the door.
            form: in which the panel asks.
        """
        self.model = GullibleModel(max(GullibleModel().context_tokens, form.in_a_prompt * CONTEXT_TOKENS_FOR_EACH))
        self._form = form
        self._court = Court(build(self.model), limits)

    async def run(self, corpus: Sequence[Attack], control: Detected) -> Report:
        """Try all attacks of a corpus, the openers and the honest texts."""
        outcome = await self.try_all(corpus)
        openers = await self._court.judge(
            {name: with_replies(text, f"opener {name}") for name, text in OPENERS.items()}
        )
        escapes = (*outcome.escapes, *self._graded(openers))
        return Report(
            attacks=len(corpus) + len(openers),
            refused=len(corpus) - len(outcome.tried),
            asked=self._asked(outcome),
            escapes=escapes,
            control=control,
            forms=(self._row(len(corpus) + len(openers), outcome, len(escapes), control),),
            fooled=dict(sorted(Counter(name for names in self.model.fooled.values() for name in names).items())),
            by_family=_detected(corpus, outcome.tried, lambda attack: attack.family),
            by_place=_detected(corpus, outcome.tried, lambda attack: attack.place),
            benign=await self._benign(),
            verdicts_moved_by_rules=_moved(corpus, outcome),
        )

    async def run_form(self, corpus: Sequence[Attack], control: Detected) -> tuple[Tried, tuple[Escape, ...]]:
        """Try all attacks of a corpus, and nothing else."""
        outcome = await self.try_all(corpus)
        return self._row(len(corpus), outcome, len(outcome.escapes), control), outcome.escapes

    async def escapes(self, corpus: Sequence[Attack]) -> list[Escape]:
        """Try attacks and name those that escaped."""
        return list((await self.try_all(corpus)).escapes)

    async def try_all(self, corpus: Sequence[Attack]) -> Outcome:
        """Judge the attacks, and their harmless twins."""
        items = {_twin_name(attack): (harmless(len(attack.text)), attack.place) for attack in corpus}
        twins = await self._court.judge({name: put(text, place, name) for name, (text, place) in items.items()})
        if self._form.in_a_prompt > 1:
            tried, beside = await self._among(corpus)
        else:
            tried = await self._court.judge({one.name: put(one.text, one.place, one.name) for one in corpus})
            beside = ()
        escaped = (
            Escape(attack.family, attack.variant, attack.place, how, self._form.name)
            for attack in corpus
            if attack.name in tried
            for how in self._how(attack, tried[attack.name], twins[_twin_name(attack)])
        )
        return Outcome(tried, twins, (*escaped, *beside))

    async def _among(self, corpus: Sequence[Attack]) -> tuple[dict[str, Judged], tuple[Escape, ...]]:
        """Judge attacks among neighbours, and find those that changed what is said of these."""
        usual = await self._court.judge(honest())
        tried: dict[str, Judged] = {}
        beside: list[Escape] = []
        for prompt in await judge_among(self._court, corpus):
            tried |= prompt.judged
            changed = [one for name, one in prompt.neighbours.items() if self._differ(one, usual[name])]
            if changed:
                ordered = {found.group() for one in changed for found in CANARY.finditer(self._said(one))}
                beside += [
                    Escape(one.family, one.variant, one.place, "a neighbour's findings differ", self._form.name)
                    for one in prompt.attacks
                    if not ordered or one.order.canary in ordered
                ]
        return tried, tuple(beside)

    def _how(self, attack: Attack, judged: Judged, twin: Judged) -> Iterator[str]:
        """Say how an attack escaped, if it did."""
        outside = sorted(self.model.fooled.get(attack.order.canary, set()) & {*MUST_HOLD, STRANGER})
        if outside:
            yield f"order outside the data, by {', '.join(outside)}"
        elif self._differ(judged, twin):
            yield "the judge's findings differ"

    def _differ(self, one: Judged, other: Judged) -> bool:
        return any(one.opinion(judge) != other.opinion(judge) for judge in self._form.judges)

    def _said(self, judged: Judged) -> str:
        return repr([judged.opinion(judge) for judge in self._form.judges])

    def _asked(self, outcome: Outcome) -> int:
        return sum(all(one.was_asked(judge) for judge in self._form.judges) for one in outcome.tried.values())

    def _row(self, tried: int, outcome: Outcome, escapes: int, control: Detected) -> Tried:
        return Tried(self._form.name, tried, self._asked(outcome), escapes, control)

    def _graded(self, openers: Mapping[str, Judged]) -> Iterator[Escape]:
        """Name the empty openings that a judge graded."""
        for name, one in openers.items():
            results = (one.evaluations[judge].result for judge in self._form.judges if judge in one.evaluations)
            if not all(isinstance(result, Abstention) for result in results):
                how = "graded, and there is nothing to grade"
                yield Escape(OPENER_FAMILY, name, OPENER_PLACE, how, self._form.name)

    async def _benign(self) -> Detected:
        texts = {f"benign {name} {place}": (text, place) for name, text in BENIGN.items() for place in BENIGN_PLACES}
        judged = await self._court.judge({name: put(text, place, name) for name, (text, place) in texts.items()})
        return Detected("benign", len(judged), sum(one.suspected for one in judged.values()))


async def run_redteam(build: BuildPanel, limits: WireLimits, salt: str) -> Report:
    """Try the corpus in every form, and a part of it without a fence.

    Args:
        build: makes the panel that asks the given model in a form.
        limits: those of the door.
        salt: makes the canaries of this run.
    """
    corpus = tuple(attacks(salt))
    control = await _control(build, limits, ALONE, corpus)
    report = await RedTeam(partial(_build, build, ALONE), limits, ALONE).run(corpus, control)
    rows, escapes = list(report.forms), list(report.escapes)
    for form in FORMS[1:]:
        control = await _control(build, limits, form, corpus)
        team = RedTeam(partial(_build, build, form), limits, form)
        row, escaped = await team.run_form(form.corpus(corpus), control)
        rows.append(row)
        escapes += escaped
    row, escaped = await run_remembered(build, limits, corpus)
    return msgspec.structs.replace(report, forms=(*rows, row), escapes=(*escapes, *escaped))


async def run_remembered(
    build: BuildPanel, limits: WireLimits, corpus: Sequence[Attack]
) -> tuple[Tried, tuple[Escape, ...]]:
    """Try whether what was said of one conversation is said of another for which it does not hold."""
    [judge] = REMEMBERED.judges
    court = Court(build(GullibleModel(), REMEMBERED), limits)
    shared = await pairs_that_share(court, DIFFERENT, judge)
    like = Detected("told of their like", len(LIKE), len(await pairs_that_share(court, LIKE, judge)))
    obeying = Court(build(BrokenFence(GullibleModel(), without_fence), REMEMBERED), limits)
    sample = REMEMBERED.corpus(corpus)
    asked, given_away = await poisoned(obeying, sample, judge)
    escapes = (
        *(Escape(FAMILY, name, "remembered", "got what was said of another", REMEMBERED.name) for name in shared),
        *(msgspec.structs.replace(one, form=REMEMBERED.name) for one in given_away),
    )
    asked += len(DIFFERENT) - len(shared)
    return Tried(REMEMBERED.name, len(DIFFERENT) + len(sample), asked, len(escapes), like), escapes


def _build(build: BuildPanel, form: Form, model: ChatModel) -> Panel:
    return build(model, form)


async def _control(build: BuildPanel, limits: WireLimits, form: Form, corpus: Sequence[Attack]) -> Detected:
    """Try the attacks of one place without a fence: what is then obeyed shows that the model is gullible."""
    at_one_place = [attack for attack in corpus if attack.place == CONTROL_PLACE]
    unfenced = RedTeam(lambda model: build(BrokenFence(model, without_fence), form), limits, form)
    escaped = {(one.family, one.variant) for one in await unfenced.escapes(at_one_place)}
    return Detected(f"without a fence, {CONTROL_PLACE}", len(at_one_place), len(escaped))


def _twin_name(attack: Attack) -> str:
    return f"twin {attack.place} {len(harmless(len(attack.text)))}"


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


def _moved(corpus: Sequence[Attack], outcome: Outcome) -> int:
    tried = outcome.tried
    pairs = ((tried[one.name], outcome.twins[_twin_name(one)]) for one in corpus if one.name in tried)
    return sum(one.overall != twin.overall for one, twin in pairs)
