"""Was the same call made again though nothing had changed?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from healing_eval.domain.conversation import ToolCall, ToolResult
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.tool_call.context import Context, PlacedCall, result_text


def check_repetition(context: Context) -> Iterator[Issue]:
    """Report a call equal to an earlier one with the same answer, with no user turn and no other change in between.

    A change is a call of a tool whose name says that it writes, and that did not fail. Where the log holds no
    answers, equal calls count within one turn only: they were made at once.
    """
    calls = context.calls
    if len({(placed.users_turns, placed.call.tool_name) for placed in calls}) == len(calls):
        return  # no tool was called twice between two of the user's turns
    seen: dict[bytes, ToolResult] = {}
    at_once: set[tuple[int, bytes]] = set()
    users_turns = -1
    for placed in calls:
        call = placed.call
        if placed.users_turns != users_turns:
            users_turns = placed.users_turns
            seen.clear()
        if call.malformed_arguments is not None:
            continue
        key = _key(call)
        if call.result is None:
            if (placed.turn_index, key) in at_once:
                yield _repeated(placed, "was called twice at once with the same arguments.")
            at_once.add((placed.turn_index, key))
            continue
        earlier = seen.get(key)
        if earlier is not None and _same(earlier, call.result):
            yield _repeated(placed, "was called again with the same arguments and gave the same answer.")
        elif context.verb(call.tool_name) and not call.result.failed:
            seen.clear()
        seen[key] = call.result


def _same(one: ToolResult, other: ToolResult) -> bool:
    return one.error == other.error and result_text(one) == result_text(other)


def _repeated(placed: PlacedCall, what: str) -> Issue:
    tool_name = placed.call.tool_name
    return issue("repeated_call", f"{tool_name[:80]!r} {what}", turn_id=placed.turn.turn_id, tool_name=tool_name)


def _key(call: ToolCall) -> bytes:
    try:
        return msgspec.json.encode((call.tool_name, call.parameters), order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return repr((call.tool_name, call.parameters)).encode("utf-8", "replace")
