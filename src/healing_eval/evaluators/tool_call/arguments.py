"""Do the arguments of a call fit the tool's definition?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.domain.issue_types import Severity
from healing_eval.evaluators.tool_call.context import Context, PlacedCall
from healing_eval.evaluators.tool_call.tools import ToolSchema

_MAX_ERRORS = 20


def check_arguments(context: Context) -> Iterator[Issue]:
    """Report unknown tools, arguments that are no JSON object, and every breach of the schema."""
    for placed in context.calls:
        call = placed.call
        if not context.knows_tools and call.malformed_arguments is None:
            continue
        if not context.is_defined(call.tool_name):
            yield _unknown_tool(placed)
        elif call.malformed_arguments is not None:
            yield issue(
                "malformed_arguments",
                f"The arguments of {call.tool_name[:80]!r} are no JSON object.",
                turn_id=placed.turn.turn_id,
                tool_name=call.tool_name,
                evidence=call.malformed_arguments,
            )
        else:
            yield from _breaches(placed, context.schema(call.tool_name))


def _unknown_tool(placed: PlacedCall) -> Issue:
    """Report a tool without a definition; one that answered exists, so it is the definitions that are incomplete."""
    call = placed.call
    answered = call.result is not None and not call.result.failed
    return issue(
        "unknown_tool",
        f"The agent called {call.tool_name[:80]!r}, which is not among the tools it was given."
        + (" It answered, so the tools that were sent are incomplete." if answered else ""),
        turn_id=placed.turn.turn_id,
        tool_name=call.tool_name,
        severity="info" if answered else None,
        detail="answered" if answered else "",
    )


def _breaches(placed: PlacedCall, schema: ToolSchema) -> Iterator[Issue]:
    parameters = placed.call.parameters
    if schema.errors is not None:
        for error in schema.errors(parameters)[:_MAX_ERRORS]:
            path = list(error.instance_path)
            missing = getattr(error.kind, "property", None)
            if isinstance(missing, str):
                path.append(missing)
            keyword = str(error.schema_path[-1]) if error.schema_path else "false"
            if keyword == "enum" and _differs_in_case_only(error.instance, getattr(error.kind, "options", None)):
                yield _breach(placed, path, "enum case", error.message[:200], severity="warning")
            else:
                yield _breach(placed, path, keyword, error.message[:200])
    if schema.closed:
        for name in parameters:
            if name not in schema.properties:
                yield _breach(placed, [name], "undeclared", "the schema declares no such argument")


def _breach(
    placed: PlacedCall, path: Sequence[str | int], keyword: str, reason: str, severity: Severity | None = None
) -> Issue:
    argument = pointer(path)
    return issue(
        "schema_violation",
        f"{placed.call.tool_name[:80]!r} breaks its schema at {argument[:80]!r}: {reason}.",
        turn_id=placed.turn.turn_id,
        tool_name=placed.call.tool_name,
        argument=argument,
        detail=keyword,
        severity=severity,
    )


def _differs_in_case_only(value: Any, options: Any) -> bool:
    """Whether the value is a member of the enum but for its case, which most tools forgive."""
    if not isinstance(value, str) or not isinstance(options, list):
        return False
    lowered = value.strip().lower()
    return any(isinstance(one, str) and one.lower() == lowered for one in cast("list[Any]", options))


def pointer(path: Sequence[str | int]) -> str:
    """Write a path as JSON Pointer."""
    first = path[0] if len(path) == 1 else None
    if isinstance(first, str) and first.isidentifier():
        return "/" + first  # nearly all of them
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
