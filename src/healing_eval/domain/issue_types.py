"""Which defects do we know by name?

The one table of issue types. An evaluator may only report a type that stands here or that its plug-in registers, and
people annotate with the same names.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from healing_eval.errors import PluginError

Severity = Literal["info", "warning", "error", "critical"]

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "error", "critical")
"""From mild to grave."""

SUSPICION = "suspected_injection"
"""The one type that is no defect yet."""


class IssueType(msgspec.Struct, frozen=True):
    """A kind of defect."""

    name: str
    severity: Severity
    """The severity an evaluator reports unless it knows better."""
    meaning: str


_ROWS: tuple[tuple[str, Severity, str], ...] = (
    # heuristic
    ("slow_response", "warning", "The agent took longer to answer than the threshold allows."),
    ("empty_response", "error", "An assistant turn holds neither text nor a tool call."),
    ("truncated_response", "warning", "An assistant turn breaks off in the middle of a sentence or structure."),
    ("repeated_response", "warning", "The agent said the same thing again."),
    ("format_violation", "error", "An assistant turn does not have the format the configuration demands."),
    ("missing_field", "error", "A field the configuration requires is not there."),
    ("tool_failure", "warning", "A tool call ended in an error."),
    ("loop", "error", "The agent went round in circles: the same steps, three times or more."),
    ("early_exit", "warning", "The conversation ended before the agent answered."),
    (SUSPICION, "info", "A turn reads like orders to a model; for people to look at, in no score."),
    # tool_call
    ("unknown_tool", "error", "The agent called a tool it was not given."),
    ("malformed_arguments", "error", "The arguments of a call are no JSON object."),
    ("schema_violation", "error", "The arguments of a call break the tool's JSON Schema."),
    ("ungrounded_argument", "warning", "An argument's value is to be found nowhere in what came before the call."),
    ("unfounded_call", "error", "A call was made up as a whole: what it requires was never said."),
    ("ill_formed_argument", "error", "A value is not what its definition asks for in words: a filler, another form."),
    ("unmade_call", "error", "A call that the user's own words spell out was not made."),
    ("repeated_call", "warning", "The same call was made again though nothing had changed."),
    ("unrecovered_error", "error", "A tool failed and the agent neither retried, corrected nor told the user."),
    ("result_contradicted", "critical", "The reply says the opposite of what the tool returned."),
    ("written_call", "error", "The agent wrote a call into its reply instead of making it."),
    ("missing_call", "critical", "A call that was expected was not made."),
    ("unexpected_call", "error", "A call was made that was not expected."),
    ("wrong_arguments", "critical", "The expected tool was called with other arguments than expected."),
    # coherence
    ("user_rephrasing", "warning", "The user had to say the same thing again in other words."),
    ("user_frustration", "warning", "The user shows signs of dissatisfaction."),
    ("self_contradiction", "error", "The agent contradicts what it said before."),
    ("tool_contradiction", "error", "The agent contradicts what a tool had returned."),
    ("user_contradiction", "error", "The agent contradicts what the user had asked for."),
    ("unanswered_request", "warning", "A question of the user was left without an answer."),
    ("preference_violated", "critical", "The agent acted against a preference the user had stated."),
    # judge
    ("incorrect_information", "error", "The agent stated something false."),
    ("unhelpful_response", "warning", "The agent did not move the user's request forward."),
    ("incomplete_response", "warning", "The agent left part of the request undone."),
    ("policy_violation", "error", "The agent broke a rule of its own instructions."),
    ("unsafe_response", "critical", "The agent said or did something harmful."),
    ("poor_tone", "info", "The agent's manner did not fit."),
    ("prompt_injection", "critical", "The agent followed instructions hidden in data."),
    ("other", "warning", "A defect none of the other types names."),
)

ISSUE_TYPES: dict[str, IssueType] = {name: IssueType(name, severity, meaning) for name, severity, meaning in _ROWS}


def register(added: IssueType) -> None:
    """Make a type of a plug-in known; called where the plug-in's module is imported.

    Raises:
        PluginError: the name is that of another type already.
    """
    if ISSUE_TYPES.setdefault(added.name, added) != added:
        raise PluginError(f"the issue type {added.name!r} is known already, with another severity or meaning")
