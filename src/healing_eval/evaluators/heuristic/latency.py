"""Which answers and tools were slower than the thresholds allow?

Each turn is judged by itself, never a sum over turns. A slow tool makes its turn slow: of the same delay only the more
exact finding is reported, unless the less exact one is graver.
"""

from __future__ import annotations

from collections.abc import Iterator

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.domain.issue_types import Severity
from healing_eval.evaluators.heuristic.context import Context
from healing_eval.evaluators.heuristic.delays import TurnDelay
from healing_eval.evaluators.heuristic.options import Options

_RANK: dict[Severity | None, int] = {None: 0, "warning": 1, "error": 2}


def check(context: Context) -> Iterator[Issue]:
    """Report slow tool calls, turns slow by all their calls together, and slow answers."""
    options = context.options
    for delay in context.delays.turns:
        if within_limits(delay, options):
            continue
        worst = 0
        for name, latency in delay.tool_ms:
            severity = _grade(latency, options.tool_warn_ms, options.tool_error_ms)
            if severity:
                worst = max(worst, _RANK[severity])
                yield _slow_tool(delay, name, latency, severity, options)
        if len(delay.tool_ms) > 1:
            total = delay.all_tools_ms
            severity = _grade(total, options.tool_warn_ms, options.tool_error_ms)
            if severity and _RANK[severity] > worst:
                worst = _RANK[severity]
                yield _slow_calls(delay, total, severity, options)
        seconds = delay.answer_seconds
        severity = None if seconds is None else _grade(seconds, options.turn_warn_seconds, options.turn_error_seconds)
        if seconds is not None and severity and _RANK[severity] > worst:
            yield _slow_answer(delay, seconds, severity, options)


def within_limits(delay: TurnDelay, options: Options) -> bool:
    """Whether nothing measured in this turn crossed a threshold."""
    return delay.all_tools_ms <= options.tool_warn_ms and (delay.answer_seconds or 0.0) <= options.turn_warn_seconds


def _grade(measured: float, warn: float, error: float) -> Severity | None:
    if measured > error:
        return "error"
    return "warning" if measured > warn else None


def _slow_tool(delay: TurnDelay, name: str, latency: float, severity: Severity, options: Options) -> Issue:
    limit = options.tool_error_ms if severity == "error" else options.tool_warn_ms
    return issue(
        "slow_response",
        f"The tool {name} took {latency:.0f} ms; the threshold is {limit:g} ms.",
        turn_id=delay.turn_id,
        tool_name=name,
        severity=severity,
        detail="tool",
    )


def _slow_calls(delay: TurnDelay, total: float, severity: Severity, options: Options) -> Issue:
    limit = options.tool_error_ms if severity == "error" else options.tool_warn_ms
    count = len(delay.tool_ms)
    return issue(
        "slow_response",
        f"The {count} tool calls of this turn took {total:.0f} ms together; the threshold is {limit:g} ms.",
        turn_id=delay.turn_id,
        severity=severity,
        detail="tools of a turn",
    )


def _slow_answer(delay: TurnDelay, seconds: float, severity: Severity, options: Options) -> Issue:
    limit = options.turn_error_seconds if severity == "error" else options.turn_warn_seconds
    return issue(
        "slow_response",
        f"This turn came after {seconds:.1f} s; the threshold is {limit:g} s.",
        turn_id=delay.turn_id,
        severity=severity,
        detail="turn",
    )
