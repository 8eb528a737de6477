"""What is paid for that was found out before?"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench import load as own_load
from bench.gateway.models import Models
from bench.production.rows import NOTHING_REMEMBERED, SETTLED
from bench.production.site import Site

CONVERSATIONS = 2000
AT_ONCE = 100
PLANTED = 0.25
"""Share of the load that repeats an earlier conversation: half of it word by word, half but for its references."""
LONGEST_SECONDS = 240.0
_REFERENCE = re.compile(r"\b\d{5,}\b")


class Repeated(msgspec.Struct):
    """What two ways of sending cost."""

    first: int
    """Calls of the model for the first, or without a cache."""
    second: int
    """For the second, or with it."""
    conversations: int
    lost: int


async def again(load: Path | None) -> Repeated:
    """Send the same conversations twice under different ids, with a cache that both workers share."""
    items = _items(load, CONVERSATIONS)
    with Models(1, delay_ms=20) as models, _site(models, remembers=True) as site:
        await _send(site, [item | {"conversation_id": f"first-{n}"} for n, item in enumerate(items)], len(items))
        first = models.requests()
        await _send(site, [item | {"conversation_id": f"second-{n}"} for n, item in enumerate(items)], 2 * len(items))
        return Repeated(first, models.requests() - first, len(items), _lost(site, 2 * len(items)))


async def planted(load: Path | None) -> Repeated:
    """Send a load of which a quarter repeats another part, without a cache and with one."""
    items = _with_repeats(_items(load, CONVERSATIONS), random.Random(7))
    calls: list[int] = []
    lost = 0
    for remembers in (False, True):
        with Models(1, delay_ms=20) as models, _site(models, remembers=remembers) as site:
            await _send(site, items, len(items))
            calls.append(models.requests())
            lost += _lost(site, len(items))
    return Repeated(calls[0], calls[1], len(items), lost)


def _site(models: Models, *, remembers: bool) -> Site:
    settings = models.settings([0]) | ({} if remembers else NOTHING_REMEMBERED)
    return Site(serve=("--workers", "1"), work=("--processes", "2"), settings=settings, remembers=remembers)


def _items(load: Path | None, count: int) -> list[dict[str, Any]]:
    if load is not None:
        return [msgspec.json.decode(line) for line in load.read_bytes().splitlines()[:count]]
    source = own_load.conversations()
    return [next(source) for _ in range(count)]


def _with_repeats(items: Sequence[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """Replace a quarter by repeats of the rest, under ids of their own, in any order."""
    kept = list(items[: round(len(items) * (1 - PLANTED))])
    repeats = [chance.choice(kept) for _ in range(len(items) - len(kept))]
    half = len(repeats) // 2
    mixed = [*kept, *repeats[:half], *(_renamed(item, chance) for item in repeats[half:])]
    chance.shuffle(mixed)
    return [item | {"conversation_id": f"planted-{number}"} for number, item in enumerate(mixed)]


def _renamed(item: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Give every reference and id in a conversation another name, each always the same, and its turns another day."""
    names: dict[str, str] = {}

    def rename(match: re.Match[str]) -> str:
        digits = len(match.group())
        return names.setdefault(match.group(), str(chance.randrange(10 ** (digits - 1), 10**digits)))

    day = f"2026-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
    turns = [turn | {"timestamp": day + turn["timestamp"][len(day) :]} for turn in item["turns"]]
    renamed = msgspec.json.decode(_REFERENCE.sub(rename, msgspec.json.encode(turns).decode()))
    return item | {"turns": renamed}


async def _send(site: Site, items: Sequence[dict[str, Any]], settled: int) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}/api/v1/") as session:
        for start in range(0, len(items), AT_ONCE):
            async with session.post("conversations", json={"conversations": items[start : start + AT_ONCE]}) as answer:
                if answer.status != 202:
                    raise SystemExit(f"a post was answered {answer.status}: {await answer.text()}")
    deadline = time.monotonic() + LONGEST_SECONDS
    while await asyncio.to_thread(site.count, SETTLED) < settled:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all were evaluated in time\n{site.logs()}")
        await asyncio.sleep(0.2)


def _lost(site: Site, sent: int) -> int:
    return sent - site.count("SELECT count(*) FROM evaluations WHERE evaluator = 'judge' AND status = 'measured'")
