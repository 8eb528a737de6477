"""Which load do the benchmarks run on? Made up from a seed: about 10 turns, 6 KB and 3 tool calls a conversation.

python -m bench.load OUT.jsonl [--count N | --megabytes M] [--seed S]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

TOOLS = ("find_booking", "search_flights", "change_booking", "refund_booking", "send_voucher", "find_hotel")
THINGS = ("booking", "seat", "suitcase", "refund", "voucher", "flight", "hotel", "invoice", "meal", "upgrade")
DEEDS = ("check", "move", "cancel", "confirm", "compare", "explain", "split", "renew", "send", "find")
PLACES = ("Lisbon", "Osaka", "Bergen", "Nairobi", "Kraków", "Zürich", "Hanoi", "Quito", "Denver", "Perth")
PEOPLE = ("Asha", "Bruno", "Carla", "Dmitri", "Elif", "Farid", "Gwen", "Hiro", "Ines", "Jonas")
ERRORS = ("invalid date", "upstream timed out", "nothing found")
VERSIONS = ("v2.3.0", "v2.3.1", "v2.4.0-rc1")
DOMAINS = ("travel", "business", "groups")
TEXT_PER_TURN = 430
P_TOOL_ERROR = 0.12
P_WRONG_DATE_FORMAT = 0.15
P_RATING = 0.5
P_ANNOTATED = 0.2
BLOCK = 4096
"""Conversations that are made anew; longer loads repeat their texts under new ids, since making them is slow."""


def conversations(seed: int = 7) -> Iterator[dict[str, Any]]:
    """Make conversations without end; equal seeds make equal ones."""
    draw = random.Random(seed)
    number = 0
    while True:
        yield _conversation(draw, number)
        number += 1


def _conversation(draw: random.Random, number: int) -> dict[str, Any]:
    length = draw.choice((8, 10, 10, 10, 12))
    with_tool = set(draw.sample(range(2, length + 1, 2), 3))
    made: dict[str, Any] = {
        "conversation_id": f"load-{number:08d}",
        "agent_version": draw.choice(VERSIONS),
        "turns": [_turn(draw, number, place, with_tool=place in with_tool) for place in range(1, length + 1)],
        "metadata": {"domain": draw.choice(DOMAINS)},
    }
    feedback = _feedback(draw)
    return made | {"feedback": feedback} if feedback else made


def _feedback(draw: random.Random) -> dict[str, Any]:
    feedback: dict[str, Any] = {}
    if draw.random() < P_RATING:
        feedback["user_rating"] = draw.randint(1, 5)
    if draw.random() < P_ANNOTATED:
        feedback["annotations"] = [
            {
                "type": draw.choice(("tool_accuracy", "helpfulness")),
                "label": draw.choice(("correct", "incorrect")),
                "annotator_id": f"annotator-{draw.randint(1, 6)}",
                "confidence": 0.8,
            }
            for _ in range(draw.randint(2, 3))
        ]
    return feedback


def _turn(draw: random.Random, number: int, place: int, *, with_tool: bool) -> dict[str, Any]:
    turn: dict[str, Any] = {
        "turn_id": place,
        "role": "user" if place % 2 else "assistant",
        "content": _paragraph(draw, max(80, round(draw.gauss(TEXT_PER_TURN, 90)))),
        "timestamp": f"2025-03-{1 + number % 28:02d}T10:{place:02d}:{draw.randrange(60):02d}Z",
    }
    return turn | {"tool_calls": [_tool_call(draw)]} if with_tool else turn


def _paragraph(draw: random.Random, characters: int) -> str:
    text = _sentence(draw)
    while len(text) < characters:
        text = f"{text} {_sentence(draw)}"
    return text


def _sentence(draw: random.Random) -> str:
    return (
        f"Let us {draw.choice(DEEDS)} the {draw.choice(THINGS)} of {draw.choice(PEOPLE)} in {draw.choice(PLACES)} "
        f"before we {draw.choice(DEEDS)} the {draw.choice(THINGS)} on {_date(draw)} "
        f"(number {draw.randint(10_000, 99_999)})."
    )


def _date(draw: random.Random) -> str:
    return f"2025-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"


def _tool_call(draw: random.Random) -> dict[str, Any]:
    date = _date(draw)
    if draw.random() < P_WRONG_DATE_FORMAT:
        date = "/".join(reversed(date.split("-")))
    result: dict[str, Any] = {
        "status": "success",
        "data": {"id": draw.randint(1, 10**9), "price": round(draw.uniform(5, 900), 2), "seats": draw.randrange(10)},
    }
    if draw.random() < P_TOOL_ERROR:
        result = {"status": "error", "error": draw.choice(ERRORS)}
    return {
        "tool_name": draw.choice(TOOLS),
        "parameters": {
            "number": draw.randint(10_000, 99_999),
            "city": draw.choice(PLACES),
            "date": date,
            "passenger": draw.choice(PEOPLE),
        },
        "result": result,
        "latency_ms": int(draw.lognormvariate(5.4, 0.6)),
    }


def write(file: Path, *, count: int | None = None, size: int | None = None, seed: int = 7) -> int:
    """Write JSON lines until there are `count` of them or `size` bytes; returns how many."""
    source = conversations(seed)
    block = [next(source) for _ in range(min(BLOCK, count or BLOCK))]
    encoder = msgspec.json.Encoder()
    written = done = 0
    with file.open("wb") as out:
        while (count is None or done < count) and (size is None or written < size):
            made = block[done % len(block)]
            written += out.write(encoder.encode(made | {"conversation_id": f"load-{done:08d}"}) + b"\n")
            done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int)
    parser.add_argument("--megabytes", type=int)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    if given.count is None and given.megabytes is None:
        parser.error("say --count or --megabytes")
    size = None if given.megabytes is None else given.megabytes * 1_000_000
    done = write(given.out, count=given.count, size=size, seed=given.seed)
    print(f"{done} conversations, {given.out.stat().st_size / done / 1000:.1f} kB each")


if __name__ == "__main__":
    main()
