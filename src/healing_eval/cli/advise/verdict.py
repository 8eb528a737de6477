"""What does a comparison amount to, in plain words?"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from healing_eval.cli.advise.comparison import Line, Total, total_of
from healing_eval.cli.advise.proposal import EXAMPLE_SAVING, EXAMPLE_SAVING_IN_ALL, EXAMPLE_SPEEDUP

REPLACED = "what it replaces"


class Verdict(msgspec.Struct, frozen=True):
    """What can be said of a proposal."""

    text: str
    is_known: bool = True
    """False: whether it saves or costs cannot be said."""


def verdict_on(lines: Sequence[Line]) -> Verdict:
    """Say what the models that change cost, set against those they replace; `lines` are of those that are there."""
    changed = [line for line in lines if line.is_changed]
    if not changed:
        return Verdict("The proposal changes nothing here.")
    total = total_of(changed)
    if total is not None:
        return Verdict(f"The proposal {_in_dollars(total)}.")
    factors = [line.factor_at_any_size for line in changed if line.factor_at_any_size is not None]
    if len(factors) == len(changed):
        least, greatest = min(low for low, _ in factors), max(high for _, high in factors)
        return Verdict(f"The proposal {in_words(least, greatest)} {REPLACED}, whatever the conversations' size.")
    return Verdict(f"What the proposal saves or costs is not known: {_what_lacks(changed)}.", is_known=False)


def _what_lacks(changed: Sequence[Line]) -> str:
    unpriced = dict.fromkeys(model for line in changed for model in line.unpriced)
    if unpriced:
        return f"no price is known for {', '.join(unpriced)}"
    unsized = [line.evaluator for line in changed if line.sized_by is None]
    return f"it is not known how many tokens an evaluation by {', '.join(unsized)} takes"


def _in_dollars(total: Total) -> str:
    per = f"{money(abs(total.difference))} {'more' if total.difference > 0 else 'less'} per 1,000 conversations"
    if not total.now:
        return f"costs {money(total.proposed)} per 1,000 conversations, where nothing is paid now"
    factor = total.proposed / total.now
    return f"{in_words(factor, factor)} {REPLACED}" + ("" if total.difference == 0 else f": {per}")


def in_words(least: float, greatest: float) -> str:
    """Say how a cost changes by a factor that lies between two, as the beginning of a sentence on what it replaces."""
    if least == greatest == 1:
        return "costs as much as"
    if greatest <= 1:
        low, high = _percent(1 - greatest), _percent(1 - least)
        return f"saves {low if low == high else f'{low} to {high}'} % of"
    if least < 1:
        return f"costs between {_number(least)} and {_number(greatest)} times as much as"
    low, high = _number(least), _number(greatest)
    return f"costs {low if low == high else f'{low} to {high}'} times as much as"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")


def _number(factor: float) -> str:
    return f"{factor:,.1f}" if factor >= 2 else f"{factor:.2f}"


def money(dollars: float) -> str:
    """Write an amount with at least three digits that count, so that small ones are not shown as 0."""
    size = abs(dollars)
    digits = 2 if size >= 10 or not size else 3 if size >= 0.1 else 5 if size >= 0.001 else 7
    return f"{'-' if dollars < 0 else ''}${size:,.{digits}f}"


def verdict_on_example(lines: Sequence[Line]) -> str:
    """Set what the strategy says of its example against the prices; `lines` are all of the example."""
    changed = [line for line in lines if line.is_changed]
    named = " and ".join(line.evaluator for line in changed)
    saving = f"{_percent(EXAMPLE_SAVING)} % is saved for {named}, and {EXAMPLE_SAVING_IN_ALL} in all"
    factors = [_factors(line) for line in changed]
    known = [one for one in factors if one is not None]
    if len(known) < len(changed):
        held = f"whether that holds is not known: {_what_lacks(changed)}"
    else:
        least, greatest = min(low for low, _ in known), max(high for _, high in known)
        held = f"at today's prices {_held(least, greatest)}: {', '.join(changed[0].proposed)} "
        held += f"{in_words(least, greatest)} {', '.join(changed[0].now)}"
    speed = f"That it is {EXAMPLE_SPEEDUP} times as fast is not measured here."
    return f"The scaling strategy says that {saving}; {held}. {speed}"


def _held(least: float, greatest: float) -> str:
    needed = 1 - EXAMPLE_SAVING + 0.005  # as it is rounded
    return "that is so" if greatest <= needed else "that may be so" if least <= needed else "that is not so"


def _factors(line: Line) -> tuple[float, float] | None:
    return line.factor_at_any_size if line.factor is None else (line.factor, line.factor)
