"""How do the heuristic issues become scores?

Only what was measured has a score.
"""

from __future__ import annotations

from collections.abc import Iterator

from healing_eval.domain.evaluation import Issue, Score, score_of
from healing_eval.evaluators.heuristic.context import Context
from healing_eval.evaluators.heuristic.latency import within_limits


def scores(context: Context, issues: list[Issue]) -> Iterator[Score]:
    """Score each family that was measured."""
    yield from _latency(context)
    yield _family("completeness", issues, ("empty_response", "truncated_response", "early_exit"))
    if len(context.replies) > 1:
        yield _family("repetition", issues, ("repeated_response", "loop"))
    yield from _tool_success(context)
    if context.options.format.demands or context.options.required_fields:
        yield _family("format", issues, ("format_violation", "missing_field"))


def _latency(context: Context) -> Iterator[Score]:
    delays = context.delays.turns
    if delays:
        within = sum([within_limits(delay, context.options) for delay in delays])
        yield Score("latency", within / len(delays), f"{within} of {len(delays)} timed turns within the thresholds")


def _tool_success(context: Context) -> Iterator[Score]:
    results = [c.result for turn in context.conversation.turns for c in turn.tool_calls if c.result is not None]
    if results:
        succeeded = [result.error for result in results].count(None)
        yield Score("tool_success", succeeded / len(results), f"{succeeded} of {len(results)} tool calls succeeded")


def _family(name: str, issues: list[Issue], types: tuple[str, ...]) -> Score:
    found = [one for one in issues if one.type in types]
    return Score(name, score_of(found), f"{len(found)} issues") if found else Score(name, 1.0, "no issue")
