"""What if Redis or PostgreSQL crashes, hangs, is emptied, full, or late?"""

from __future__ import annotations

import time

from bench.chaos.fault import Break, Fault
from bench.chaos.site import Plan

FROZEN_SECONDS = 5.0
OUTAGE_SECONDS = 10.0
LATE_SECONDS = 30.0


def _redis_killed(given: Break) -> None:
    given.site.redis.kill()
    time.sleep(1)
    given.site.redis.start()


def _redis_flushed(given: Break) -> None:
    for _ in range(3):
        given.site.redis.ask("FLUSHALL")
        time.sleep(1)


def _redis_frozen(given: Break) -> None:
    given.site.redis.pause()
    time.sleep(FROZEN_SECONDS)
    given.site.redis.resume()


def _redis_full(given: Break) -> None:
    given.site.redis.ask("CONFIG SET maxmemory 1")
    time.sleep(FROZEN_SECONDS)
    given.site.redis.ask("CONFIG SET maxmemory 0")


def _redis_away(given: Break) -> None:
    given.site.redis.kill()
    time.sleep(OUTAGE_SECONDS)
    given.site.redis.start()


def _redis_late(given: Break) -> None:
    time.sleep(LATE_SECONDS)
    given.site.redis.start()


def _postgresql_killed(given: Break) -> None:
    given.site.postgresql.kill()
    given.site.postgresql.start()


def _postgresql_away(given: Break) -> None:
    given.site.postgresql.kill()
    time.sleep(OUTAGE_SECONDS)
    given.site.postgresql.start()


def _postgresql_restarted(given: Break) -> None:
    given.site.postgresql.stop()
    given.site.postgresql.start()


def _postgresql_frozen(given: Break) -> None:
    given.site.postgresql.pause()
    time.sleep(FROZEN_SECONDS)
    given.site.postgresql.resume()


def _postgresql_connections_cut(given: Break) -> None:
    ours = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    for _ in range(10):
        given.site.postgresql.sql(f"SELECT pg_terminate_backend(pid) {ours}")
        time.sleep(0.5)


def _postgresql_late(given: Break) -> None:
    time.sleep(LATE_SECONDS)
    given.site.postgresql.start()


FAULTS = (
    Fault(name="redis-kill-aof", title="Redis killed (-9), log every second", cause=_redis_killed),
    Fault(
        name="redis-kill-empty",
        title="Redis killed (-9), comes back empty",
        cause=_redis_killed,
        plan=Plan(aof=None),
    ),
    Fault(name="redis-away", title="Redis away for 10 s, comes back empty", cause=_redis_away, plan=Plan(aof=None)),
    Fault(name="redis-flush", title="FLUSHALL, three times", cause=_redis_flushed),
    Fault(name="redis-frozen", title="Redis frozen (SIGSTOP) for 5 s", cause=_redis_frozen),
    Fault(name="redis-full", title="Redis out of memory for 5 s", cause=_redis_full),
    Fault(
        name="redis-late",
        title="Redis comes up 30 s after us",
        cause=_redis_late,
        plan=Plan(started=("postgresql",)),
        ready_first=False,
    ),
    Fault(name="postgresql-kill", title="PostgreSQL killed (-9) and started", cause=_postgresql_killed),
    Fault(name="postgresql-away", title="PostgreSQL killed (-9), away for 10 s", cause=_postgresql_away),
    Fault(name="postgresql-restart", title="PostgreSQL restarted", cause=_postgresql_restarted),
    Fault(name="postgresql-frozen", title="PostgreSQL frozen (SIGSTOP) for 5 s", cause=_postgresql_frozen),
    Fault(
        name="postgresql-cut",
        title="all connections to PostgreSQL cut, ten times",
        cause=_postgresql_connections_cut,
    ),
    Fault(
        name="postgresql-late",
        title="PostgreSQL comes up 30 s after us",
        cause=_postgresql_late,
        plan=Plan(started=("redis",)),
        ready_first=False,
    ),
)
