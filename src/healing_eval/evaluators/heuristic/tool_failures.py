"""Which tool calls failed, and which failures are alike?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from healing_eval.domain.conversation import ToolCall
from healing_eval.domain.evaluation import Issue, issue
from healing_eval.evaluators.heuristic.context import Context

_READ_CHARACTERS = 500
_TEMPLATE_CHARACTERS = 60
_READ_ARGUMENTS = 50
_QUOTED = re.compile(r"""(?<!\w)(?:"[^"]{0,200}"|'[^']{0,200}'|`[^`]{0,200}`)""")
_WORD = re.compile(r"[a-z]+")
_EDGES = ".,:;!?()[]{}<>\"'`"


def check(context: Context) -> Iterator[Issue]:
    """Report each call whose result is an error."""
    for turn in context.conversation.turns:
        for call in turn.tool_calls:
            if call.result is not None and call.result.error is not None:
                yield issue(
                    "tool_failure",
                    f"The tool {call.tool_name} failed: {call.result.error[:200]}",
                    turn_id=turn.turn_id,
                    tool_name=call.tool_name,
                    evidence=call.result.error,
                    detail=template_of(call.result.error, call),
                )


def template_of(error: str, call: ToolCall) -> str:
    """Reduce an error to the plain words that equal failures share.

    Quoted text, paths, addresses, everything with a digit, and the values of the call's own arguments are left out.

    Returns:
        At most 60 characters of lower-case a-z words; "" if nothing plain remains.
    """
    text = _QUOTED.sub(" ", error[:_READ_CHARACTERS]).lower()
    given = _argument_words(call)
    kept: list[str] = []
    length = 0
    for token in text.split():
        word = token.strip(_EDGES)
        if not _WORD.fullmatch(word) or word in given:
            continue
        length += len(word) + 1
        if length > _TEMPLATE_CHARACTERS + 1:
            break
        kept.append(word)
    return " ".join(kept)


def _argument_words(call: ToolCall) -> set[str]:
    values = list(call.parameters.values())[:_READ_ARGUMENTS]
    texts = (value[:_READ_CHARACTERS].lower() for value in values if isinstance(value, str))
    return {word.strip(_EDGES) for text in texts for word in text.split()}
