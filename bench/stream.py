"""What does a message through Redis cost?

    .venv/bin/python -m bench.stream [MESSAGES] [--json]

A Redis of its own (appendonly, fsync every second) on this machine; each message is appended, read and acknowledged, in
batches. CPU milliseconds are those of our process, and apart from them those of the Redis process. In the end, how many
bytes of memory and how many keys Redis holds for what was processed.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

import msgspec
from redis.utils import HIREDIS_AVAILABLE

from healing_eval import plugins
from healing_eval.cli.loops import run_fast
from healing_eval.domain.revision import RevisionKey
from healing_eval.ports.stream import Stream
from healing_eval.testing.servers.redis import RedisServer

LANE = "checks"
BATCHES = (1, 64, 256)
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")


class Figure(msgspec.Struct):
    """Medians of a batch size; CPU in milliseconds a message."""

    batch: int
    messages_per_second: float
    client_ms: float
    server_ms: float
    append_ms: float
    read_ms: float
    ack_ms: float


def keys(round_number: int, count: int) -> list[RevisionKey]:
    start = round_number * count
    return [RevisionKey(number.to_bytes(16, "big"), 1) for number in range(start, start + count)]


def cpu_of(server: RedisServer) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def used_memory(server: RedisServer) -> int:
    lines = server.ask_all("INFO memory").splitlines()
    return int(next(line for line in lines if line.startswith("used_memory:")).partition(":")[2])


async def run(stream: Stream, server: RedisServer, batch: int, sent: list[RevisionKey]) -> Figure:
    started, cpu, theirs = time.perf_counter(), time.process_time(), cpu_of(server)
    parts = [0.0, 0.0, 0.0]
    for first in range(0, len(sent), batch):
        times = [time.process_time()]
        await stream.append(LANE, sent[first : first + batch])
        times.append(time.process_time())
        taken = await stream.read(LANE, "bench", count=batch, wait_seconds=5)
        times.append(time.process_time())
        await stream.ack(LANE, taken)
        times.append(time.process_time())
        parts = [part + after - before for part, before, after in zip(parts, times, times[1:], strict=False)]
    wall = time.perf_counter() - started
    each = 1000 / len(sent)
    return Figure(
        batch,
        len(sent) / wall,
        each * (time.process_time() - cpu),
        each * (cpu_of(server) - theirs),
        *(each * part for part in parts),
    )


def median(rounds: list[Figure]) -> Figure:
    return Figure(*(statistics.median(getattr(one, name) for one in rounds) for name in Figure.__struct_fields__))


async def measure(server: RedisServer, count: int) -> tuple[list[Figure], float, int]:
    stream: Stream = plugins.load_for_url(plugins.STREAM, server.url).from_url(server.url)  # type: ignore[attr-defined]
    await stream.open([LANE])
    await run(stream, server, 256, keys(0, 2048))
    before, processed, figures = used_memory(server), 0, list[Figure]()
    for batch in BATCHES:
        size = count if batch > 1 else max(1, count // 10)
        rounds = [await run(stream, server, batch, keys(number, size)) for number in range(ROUNDS)]
        processed += ROUNDS * size
        figures.append(median(rounds))
    kept = await stream.depth(LANE)
    assert kept == 0
    grown = (used_memory(server) - before) / processed
    await stream.close()
    return figures, grown, int(server.ask("DBSIZE").lstrip(":"))


def main(arguments: list[str]) -> None:
    numbers = [int(argument) for argument in arguments if argument.isdecimal()]
    server = RedisServer(aof="everysec")
    server.start()
    results: list[tuple[list[Figure], float, int]] = []

    async def measured() -> None:
        results.append(await measure(server, numbers[0] if numbers else 100_000))

    try:
        run_fast(measured())
    finally:
        server.remove()
    figures, grown, names = results[0]
    if "--json" in arguments:
        told = {"figures": msgspec.to_builtins(figures), "bytes_per_processed_message": grown, "keys": names}
        print(json.dumps(told))
        return
    parser = "hiredis" if HIREDIS_AVAILABLE else "redis-py's own parser"
    print(f"append + read + acknowledge, {parser}, Redis with appendfsync everysec; medians of {ROUNDS}")
    for one in figures:
        print(
            f"batches of {one.batch:3}: {one.messages_per_second:8,.0f} messages/s, CPU ms a message: "
            f"client {one.client_ms:.4f} (append {one.append_ms:.4f}, read {one.read_ms:.4f}, ack {one.ack_ms:.4f}), "
            f"server {one.server_ms:.4f}"
        )
    print(
        f"Redis memory per processed message: {grown:.1f} bytes; keys left: {names}, the lane's stream with its group"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
