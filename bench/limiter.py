"""Do many processes together stay within a model's limit, and use it?

    .venv/bin/python -m bench.limiter [--seconds 20] [--processes 4] [--rounds 3] [--json]

A Redis of its own (appendonly, fsync every second). In each process 100 callers ask for one turn after the other, at a
limit of 300 requests a second; each writes down when its turn came. Counted over the middle of the time, after the
first two seconds: turns against the limit, the most in any window of one second, Redis operations for a turn, CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
from bisect import bisect_left
from concurrent.futures import ProcessPoolExecutor

import msgspec

from healing_eval.backends.limiter.redis import RedisLimiter
from healing_eval.cli.loops import run_fast
from healing_eval.ports.limiter import Need, RateLimit
from healing_eval.testing.servers.redis import RedisServer

PER_SECOND = 300
LIMIT = RateLimit(requests_per_minute=60 * PER_SECOND, tokens_per_minute=60 * PER_SECOND * 1000)
CALL = Need(tokens=1000)
CALLERS = 100
LONGEST_WAIT_SECONDS = 10.0
WARM_UP_SECONDS = 2.0


class Figure(msgspec.Struct):
    """One round."""

    share_of_limit: float
    most_in_a_second: float
    """As a share of what a second allows."""
    redis_operations: float
    """For one turn."""
    cpu_ms: float
    """For one turn, of our processes."""


def ask_for_turns(url: str, until: float) -> tuple[list[float], float]:
    """Run the callers of one process; gives when turns came, and CPU seconds used."""
    turns: list[float] = []

    async def call(limiter: RedisLimiter) -> None:
        while time.time() < until:
            turn = await limiter.reserve("bench", LIMIT, CALL, LONGEST_WAIT_SECONDS)
            await asyncio.sleep(turn.wait_seconds)
            if turn.granted:
                turns.append(time.time())

    async def run() -> None:
        limiter = RedisLimiter.from_url(url)
        await asyncio.gather(*(call(limiter) for _ in range(CALLERS)))
        await limiter.close()

    used = time.process_time()
    run_fast(run())
    return turns, time.process_time() - used


def measure(server: RedisServer, pool: ProcessPoolExecutor, processes: int, seconds: float) -> Figure:
    before, begun = operations(server), time.time()
    until = begun + WARM_UP_SECONDS + seconds
    answers = list(pool.map(ask_for_turns, [server.url] * processes, [until] * processes))
    asked = operations(server) - before
    everything = sorted(moment for turns, _ in answers for moment in turns)
    counted = [moment for moment in everything if begun + WARM_UP_SECONDS <= moment < until]
    return Figure(
        share_of_limit=len(counted) / (PER_SECOND * seconds),
        most_in_a_second=most_in_a_second(everything) / PER_SECOND,
        redis_operations=asked / len(everything),
        cpu_ms=1000 * sum(cpu for _, cpu in answers) / len(everything),
    )


def measure_all(processes: int, seconds: float, rounds: int) -> list[Figure]:
    server = RedisServer()
    server.start()
    try:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(time.sleep, [0.5] * processes))  # so that all are there when the first begins
            return [measure(server, pool, processes, seconds) for _ in range(rounds)]
    finally:
        server.remove()


def most_in_a_second(moments: list[float]) -> int:
    return max(bisect_left(moments, moment + 1) - index for index, moment in enumerate(moments))


def operations(server: RedisServer) -> int:
    """Commands that clients have sent; what a script does inside is one operation with it."""
    lines = server.ask_all("INFO commandstats").splitlines()
    calls = {
        line.partition(":")[0]: int(line.partition("calls=")[2].partition(",")[0]) for line in lines if "=" in line
    }
    return sum(calls.get(f"cmdstat_{name}", 0) for name in ("evalsha", "eval"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    measured = measure_all(chosen.processes, chosen.seconds, chosen.rounds)
    rounds = [msgspec.structs.asdict(one) for one in measured]
    if chosen.json:
        print(json.dumps(rounds))
        return
    print(f"{chosen.processes} processes, {PER_SECOND} requests a second allowed, median of {chosen.rounds} rounds")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        print(f"  {name:<18} {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})")


if __name__ == "__main__":
    main()
