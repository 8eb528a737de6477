"""How fast is the tool_call evaluator: its schema check, its grounding, and all of it?

    [HEALING_EVAL_REALDATA_DIR=…] python -m bench.tool_call_speed [--file FILE.jsonl] [--runs N]

CPU time, the median of the runs. Without a file the load of bench/load.py is taken, always the same 500 conversations.
Where the folder of real conversations is there, the schema check is also timed on all their calls.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bench.load import conversations as made_up
from bench.realdata.records import SETTING, records
from healing_eval.domain.conversation import Conversation, ToolDefinition
from healing_eval.evaluators.tool_call.context import Context
from healing_eval.evaluators.tool_call.evaluator import ToolCalls
from healing_eval.evaluators.tool_call.grounding.check import Grounding
from healing_eval.evaluators.tool_call.options import Options
from healing_eval.evaluators.tool_call.tools import SchemaShelf, Validator, plain_name
from healing_eval.formats.item import read_local_item
from healing_eval.formats.limits import UNLIMITED

COUNT = 500
CHECKS = 20_000
_DAY = {"type": "string", "format": "date"}
_PASSENGER = {
    "type": "object",
    "required": ["first_name", "last_name", "dob"],
    "properties": {"first_name": {"type": "string"}, "last_name": {"type": "string"}, "dob": _DAY},
    "additionalProperties": False,
}
_LEG = {
    "type": "object",
    "required": ["flight", "date"],
    "properties": {"flight": {"type": "string", "pattern": "^[A-Z]{3}[0-9]{3}$"}, "date": _DAY},
}
BOOKING: dict[str, Any] = {
    "type": "object",
    "required": ["user_id", "cabin", "legs", "passengers", "bags"],
    "properties": {
        "user_id": {"type": "string", "minLength": 3},
        "cabin": {"enum": ["basic_economy", "economy", "business"]},
        "legs": {"type": "array", "minItems": 1, "items": _LEG},
        "passengers": {"type": "array", "maxItems": 5, "items": _PASSENGER},
        "bags": {"type": "integer", "minimum": 0},
        "insurance": {"type": "boolean"},
    },
    "additionalProperties": False,
}
RIGHT: dict[str, Any] = {
    "user_id": "mia_21",
    "cabin": "economy",
    "legs": [{"flight": "HAT101", "date": "2025-03-07"}, {"flight": "HAT202", "date": "2025-03-09"}],
    "passengers": [{"first_name": "Mia", "last_name": "Li", "dob": "1990-04-05"}],
    "bags": 2,
    "insurance": False,
}
BREACHES: dict[str, Any] = {
    "bags": "2",
    "cabin": "first",
    "legs": [{"flight": "HAT101", "date": "07/03/2025"}, {"flight": "HAT202", "date": "2025-03-09"}],
}
"""A number as text, an unknown cabin, a date in another format."""
REAL_SETS = ("bfcl", "sgd", "tau_bench", "tau2_bench", "when2call", "agentdojo")


def seconds_of(work: Callable[[], object], runs: int) -> float:
    """The median CPU time of `work`, in seconds, after one run that is not counted."""
    work()
    taken: list[float] = []
    for _ in range(runs):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def schema_check(arguments: dict[str, Any], runs: int) -> tuple[float, int]:
    """Seconds of one check that lists all errors, and how many there are."""
    errors = SchemaShelf().get(ToolDefinition("book", parameters=BOOKING)).errors
    if errors is None:
        raise SystemExit("the booking schema cannot be used")

    def check() -> None:
        for _ in range(CHECKS):
            errors(arguments)

    return seconds_of(check, runs) / CHECKS, len(errors(arguments))


def schema_check_on_real_calls(name: str, runs: int) -> tuple[float, int, float]:
    """Seconds of one check over the calls of a real set that have a usable schema, how many, and their mean errors."""
    shelf = SchemaShelf()
    checks: list[tuple[Validator, dict[str, Any]]] = []
    for record in records(name):
        definitions = {plain_name(tool.name): tool for tool in record.conversation.tools}
        for call in (call for turn in record.conversation.turns for call in turn.tool_calls):
            definition = definitions.get(plain_name(call.tool_name))
            errors = shelf.get(definition).errors if definition else None
            if errors is not None:
                checks.append((errors, call.parameters))
    found = sum(len(errors(arguments)) for errors, arguments in checks)
    taken = seconds_of(lambda: [errors(arguments) for errors, arguments in checks], runs)
    return taken / len(checks), len(checks), found / len(checks)


def values_per_second(conversations: Sequence[Conversation], runs: int) -> tuple[float, int]:
    """Values looked up in a second, the building of the evidence included, and how many there are."""
    shelf, options = SchemaShelf(), Options()

    def look_up() -> int:
        return sum(len(list(Grounding(Context(one, options, shelf)).values())) for one in conversations)

    count = look_up()
    return count / seconds_of(look_up, runs), count


def whole(conversations: Sequence[Conversation], runs: int) -> float:
    """Seconds that the evaluator takes for one conversation."""
    evaluator = ToolCalls(Options())
    fit = [one for one in conversations if evaluator.inapplicable(one) is None]
    return seconds_of(lambda: [evaluator.judge(one) for one in fit], runs) / len(fit)


def load(file: Path | None) -> list[Conversation]:
    lines = file.read_bytes().splitlines() if file else [msgspec.json.encode(one) for one in islice(made_up(), COUNT)]
    return [read_local_item(line, project="bench", limits=UNLIMITED).conversation for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="JSON lines to take instead of the load of bench/load.py")
    parser.add_argument("--runs", type=int, default=7)
    given = parser.parse_args()
    for breaches in range(len(BREACHES) + 1):
        wrong = dict(list(BREACHES.items())[:breaches])
        taken, errors = schema_check(RIGHT | wrong, given.runs)
        print(f"schema check, {errors} errors, all listed: {taken * 1e6:.2f} µs a call (goal <= 5)")
    for name in REAL_SETS if os.environ.get(SETTING) else ():
        taken, count, errors = schema_check_on_real_calls(name, given.runs)
        print(f"schema check, {count:,} calls of {name}, {errors:.2f} errors each: {taken * 1e6:.2f} µs a call")
    conversations = load(given.file)
    speed, count = values_per_second(conversations, given.runs)
    print(f"grounding: {speed:,.0f} values a second, {count / len(conversations):.1f} each (goal >= 60,000)")
    print(f"whole evaluator: {whole(conversations, given.runs) * 1e6:.0f} µs a conversation (goal <= 230)")


if __name__ == "__main__":
    main()
