"""How is one sample conversation written down, turn by turn?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

Json = dict[str, Any]

FIRST_DAY = datetime(2026, 2, 2, 7, 0, tzinfo=UTC)

NAMES = (
    "Amara Osei",
    "Bruno Keller",
    "Chloe Martin",
    "Dmitri Volkov",
    "Elena Rossi",
    "Farid Haddad",
    "Grace Nakamura",
    "Hanna Lindqvist",
    "Ines Carvalho",
    "Jonas Weber",
    "Kofi Mensah",
    "Lena Novak",
    "Mateo Silva",
    "Nadia Rahman",
    "Oscar Dubois",
    "Priya Menon",
)
STREETS = ("Oak Street", "Mill Lane", "Harbour Road", "Station Avenue", "Church Hill", "Garden Row", "Park Crescent")
_CODE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def code(r: Random, length: int = 6) -> str:
    """Make a reference as booking systems do, always with a letter first and a digit last."""
    middle = "".join(r.choice(_CODE) for _ in range(length - 2))
    return f"{r.choice(_CODE[:24])}{middle}{r.randint(2, 9)}"


def call(r: Random, tool_name: str, parameters: Json, *, data: Json | None = None, error: str | None = None) -> Json:
    """Write one tool call with its result: the data, or the error."""
    result: Json = {"status": "error", "error": error} if error else {"status": "success", "data": data or {}}
    latency = r.randint(120, 1900)
    return {"tool_name": tool_name, "parameters": parameters, "result": result, "latency_ms": latency}


class Talk:
    """A conversation while it is being written; its clock runs on with every turn."""

    def __init__(self, r: Random, start: datetime) -> None:
        self.random = r
        self._now = start
        self._turns: list[Json] = []

    def user(self, text: str) -> None:
        """Let the user speak, after some time to read and type."""
        self._say("user", text, self.random.randint(12, 75))

    def agent(self, text: str, *calls: Json, seconds: int | None = None) -> None:
        """Let the agent speak, with the calls it made before; it takes 1 to 6 seconds unless told otherwise."""
        turn = self._say("assistant", text, self.random.randint(1, 6) if seconds is None else seconds)
        if calls:
            turn["tool_calls"] = list(calls)

    def _say(self, role: str, text: str, seconds: int) -> Json:
        self._now += timedelta(seconds=seconds)
        stamp = self._now.isoformat().replace("+00:00", "Z")
        turn: Json = {"turn_id": len(self._turns) + 1, "role": role, "content": text, "timestamp": stamp}
        self._turns.append(turn)
        return turn

    def written(self, agent: Json, *, story: str, expected: str, feedback: Json | None = None) -> Json:
        """Give the conversation, without an id yet.

        Args:
            agent: `agent_version`, `system_prompt` and `tools`.
            story: which story it belongs to.
            expected: the outcome it was written for, "pass" or "fail".
            feedback: what people said about it.
        """
        conversation = {**agent, "turns": self._turns, "metadata": {"story": story, "expected_outcome": expected}}
        if feedback:
            conversation["feedback"] = feedback
        return conversation


def start_of(r: Random, day: int) -> datetime:
    """Pick a moment within a working day, counted from the first day of the samples."""
    return FIRST_DAY + timedelta(days=day, minutes=r.randint(0, 12 * 60), seconds=r.randint(0, 59))


def tool(name: str, description: str, properties: Json, required: list[str]) -> Json:
    """Define a tool as agents' logs hold it."""
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"name": name, "description": description, "parameters": schema}


def rated(r: Random, chance: float, low: int, high: int) -> Json | None:
    """Let some users rate the conversation, from `low` to `high` of 1 to 5."""
    return {"user_rating": r.randint(low, high)} if r.random() < chance else None
