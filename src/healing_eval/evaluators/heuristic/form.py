"""Does each assistant turn have the form the configuration demands, and is every required field there?"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.heuristic.context import Context, Reply
from healing_eval.evaluators.heuristic.required import missing_fields


def check(context: Context) -> Iterator[Issue]:
    """Report turns of another form, and required fields that are missing."""
    if context.options.required_fields:
        yield from missing_fields(context.conversation, context.options.required_fields)
    if not context.options.format.demands:
        return
    for reply in context.replies:
        if not reply.calls:
            yield from _violations(context, reply)


def _violations(context: Context, reply: Reply) -> Iterator[Issue]:
    demanded = context.options.format
    limit = demanded.max_characters
    if demanded.must_be_json and not _is_json(reply.text):
        yield _violation(reply, "is not JSON", "must_be_json")
    if limit is not None and len(reply.text) > limit:
        yield _violation(reply, f"has {len(reply.text)} characters; the limit is {limit}", "max_characters")
    for pattern, wanted in context.patterns:
        if pattern.found_in(reply.text) != wanted:
            option = "must_match" if wanted else "must_not_match"
            said = "does not match" if wanted else "matches"
            yield _violation(reply, f"{said} {pattern.source!r}", f"{option} {pattern.source}")


def _violation(reply: Reply, what: str, detail: str) -> Issue:
    return issue(
        "format_violation",
        f"The assistant turn {what}.",
        turn_id=reply.turn.turn_id,
        evidence=reply.text,
        detail=detail,
    )


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True
