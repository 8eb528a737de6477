"""How are bodies best kept in PostgreSQL? Size on disk, log written, CPU to write, read and search.

    .venv/bin/python -m bench.bodies [CONVERSATIONS]

On the made-up load, and on real conversations where HEALING_EVAL_REALDATA_DIR is set. Rows with zstd need the package
zstandard, which we do not depend on. CPU is in microseconds per conversation: ours (which compresses zstd) and the
server's. A search looks at every row for a word that is nowhere.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import asyncpg
import msgspec

from bench import load
from bench.realdata.records import file_of
from bench.store import used_by
from healing_eval.testing.servers.postgresql import Postgresql

REAL_SETS = ("tau2_bench", "agentdojo", "sgd")
BATCH = 100
ABSENT = "xylophonist"


class Way(NamedTuple):
    """One way to keep a body."""

    name: str
    columns: str
    pack: Callable[[bytes], tuple[Any, ...]]
    unpack: Callable[[Any], bytes]
    search: str | None
    tuple_target: int = 2040


def text_of(body: bytes) -> str:
    return "\n".join(turn.get("content") or "" for turn in msgspec.json.decode(body)["turns"])


def as_it_is(body: bytes) -> tuple[Any, ...]:
    return (body,)


def ways() -> Iterator[Way]:
    in_bytes = f"position('{ABSENT}'::bytea IN body) > 0"
    yield Way("bytea, pglz", "body bytea COMPRESSION pglz", as_it_is, bytes, in_bytes)
    yield Way("bytea, lz4", "body bytea COMPRESSION lz4", as_it_is, bytes, in_bytes)
    yield Way("bytea, lz4, inline to 4 kB", "body bytea COMPRESSION lz4", as_it_is, bytes, in_bytes, 4080)
    yield Way(
        "jsonb, lz4 (not verbatim)",
        "body jsonb COMPRESSION lz4",
        lambda body: (body.decode(),),
        str.encode,
        f"body::text LIKE '%{ABSENT}%'",
    )
    if find_spec("zstandard") is None:
        return
    zstandard = importlib.import_module("zstandard")
    for level in (1, 3):
        compressor, decompressor = zstandard.ZstdCompressor(level=level), zstandard.ZstdDecompressor()
        yield Way(
            f"zstd {level} (no search)",
            "body bytea STORAGE EXTERNAL",
            lambda body, c=compressor: (c.compress(body),),
            decompressor.decompress,
            None,
        )
        yield Way(
            f"zstd {level} beside text, lz4",
            "body bytea STORAGE EXTERNAL, words text COMPRESSION lz4",
            lambda body, c=compressor: (c.compress(body), text_of(body)),
            decompressor.decompress,
            f"words LIKE '%{ABSENT}%'",
        )


class Cost:
    """Measures a stretch of work, per conversation."""

    def __init__(self, server: Postgresql, count: int) -> None:
        self._server, self._count = server, count
        self._ours, self._theirs = time.process_time(), used_by(server)

    def taken(self) -> str:
        ours, theirs = time.process_time() - self._ours, used_by(self._server) - self._theirs
        return f"{1e6 * ours / self._count:4.0f} + {1e6 * theirs / self._count:4.0f}"


async def measure(server: Postgresql, way: Way, bodies: list[bytes]) -> None:
    connection: Any = await asyncpg.connect(server.new_database())
    columns = way.columns.replace("STORAGE EXTERNAL", "")
    await connection.execute(f"CREATE TABLE kept (key integer PRIMARY KEY, {columns})")
    if "EXTERNAL" in way.columns:
        await connection.execute("ALTER TABLE kept ALTER COLUMN body SET STORAGE EXTERNAL")
    await connection.execute(f"ALTER TABLE kept SET (toast_tuple_target = {way.tuple_target})")
    began = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
    cost = Cost(server, len(bodies))
    for first in range(0, len(bodies), BATCH):
        rows = [(first + at, *way.pack(body)) for at, body in enumerate(bodies[first : first + BATCH])]
        await connection.copy_records_to_table("kept", records=rows)
    written = cost.taken()
    size, log = await connection.fetchrow(
        "SELECT pg_total_relation_size('kept'), pg_current_wal_insert_lsn() - $1::pg_lsn", began
    )
    cost = Cost(server, len(bodies))
    for first in range(0, len(bodies), BATCH):
        keys = list(range(first, first + BATCH))
        for row in await connection.fetch("SELECT key, body FROM kept WHERE key = ANY($1)", keys):
            way.unpack(row[1])
    read = cost.taken()
    searched = "-"
    if way.search:
        cost = Cost(server, len(bodies) * 3)
        for _ in range(3):
            assert not await connection.fetchval(f"SELECT count(*) FROM kept WHERE {way.search}")
        searched = cost.taken()
    await connection.close()
    kilobytes = [f"{part / len(bodies) / 1000:7.2f}" for part in (size, float(log))]
    print(f"| {way.name:28} | {' | '.join(kilobytes)} | {written} | {read} | {searched} |", flush=True)


def made_up(count: int) -> list[bytes]:
    return [msgspec.json.encode(one) for one in itertools.islice(load.conversations(), count)]


def real(name: str, count: int) -> list[bytes]:
    with gzip.open(file_of(name)) as lines:
        found = [msgspec.json.decode(line) for line in itertools.islice(lines, count)]
    for one in found:
        one.pop("metadata", None)
    return [msgspec.json.encode(one) for one in found if one.get("turns")]


async def main(count: int) -> None:
    sets = {"made-up load": made_up(count)}
    if os.environ.get("HEALING_EVAL_REALDATA_DIR"):
        sets |= {name: real(name, count) for name in REAL_SETS}
    server = Postgresql(durable=True, settings={"autovacuum": "off"})
    server.start()
    try:
        for name, bodies in sets.items():
            print(f"\n{name}: {len(bodies)} bodies of {sum(map(len, bodies)) / len(bodies) / 1000:.1f} kB")
            print("| way | kB on disk | kB of log | write: ours + server's µs | read | search |")
            print("|---|---|---|---|---|---|")
            for way in ways():
                await measure(server, way, bodies)
        server.stop()
    finally:
        server.remove()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
