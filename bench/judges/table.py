"""How are the figures of one set shown?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.judges.measure import Figure, Measured, correlations, equal_weights
from bench.judges.sets import JudgeSet
from healing_eval.evaluators.judge.ballots import MissingVote


def lines(judges: JudgeSet, measured: Sequence[Measured]) -> Iterator[str]:
    """Write one table, and below it what holds for the set as a whole."""
    yield f"### {judges.name}: {len(judges.items)} items, true means that {judges.true_means}"
    yield ""
    yield (
        "| way | log-loss | less than the best alone | accuracy | AUC | effective votes | strong one asked "
        f"| {judges.cost_unit} | × strong |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in measured:
        quality = (_spread(row.log_loss), _gain(row), _spread(row.accuracy), _spread(row.auc))
        cost = (_cost(row.cost), "not known" if row.relative_cost is None else f"{row.relative_cost.mean:.3g}")
        share = "–" if row.asked_strong is None else f"{row.asked_strong.mean:.0%}"
        yield f"| {' | '.join((row.way, *quality, _spread(row.effective_votes, 2), share, *cost))} |"
    yield ""
    yield " ".join(_whole(judges))
    yield ""


def _whole(judges: JudgeSet) -> Iterator[str]:
    weights = equal_weights(judges)
    by_errors, by_votes = (
        correlations(judges, judges.items, of_errors=of_errors).effective_votes(weights) for of_errors in (True, False)
    )
    yield (
        f"Over all items the {len(weights)} judges are worth {_number(by_errors)} votes by their errors, "
        f"and {_number(by_votes)} by their votes alone, as seen where the truth is not known."
    )
    for judge in judges.judges:
        missing = sum(isinstance(item.ballots[judge], MissingVote) for item in judges.items)
        if missing:
            yield f"{judge} gave no vote on {missing} of {len(judges.items)}."


def _spread(figure: Figure | None, digits: int = 3) -> str:
    return "–" if figure is None else f"{figure.mean:.{digits}f} ± {figure.spread:.{digits}f}"


def _gain(row: Measured) -> str:
    return "–" if row.gain is None else f"{row.gain.estimate:+.3f} ({row.gain.low:+.3f} to {row.gain.high:+.3f})"


def _cost(figure: Figure | None) -> str:
    return "not known" if figure is None else f"{figure.mean:.3g}"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"
