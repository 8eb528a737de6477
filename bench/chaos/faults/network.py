"""What if the network is slow, silent, or loses answers?"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.chaos.fault import Break, Fault
from healing_eval.testing.servers.proxy import FaultProxy

Network = Callable[[Break], FaultProxy]
SLOW_SECONDS = 10.0
SILENT_SECONDS = 20.0
"""More than we wait for an answer of PostgreSQL."""
KEEP_ALIVE_SECONDS = 30.0
"""When TCP tells PostgreSQL that nobody is there any more, as our connections ask for; loopback loses no packets."""


def _store(given: Break) -> FaultProxy:
    return given.site.store_network


def _stream(given: Break) -> FaultProxy:
    return given.site.stream_network


def _slow(given: Break) -> None:
    networks = (_store(given), _stream(given))
    for network in networks:
        network.delay_seconds, network.bytes_per_second = 0.1, 200_000
    time.sleep(SLOW_SECONDS)
    for network in networks:
        network.delay_seconds, network.bytes_per_second = 0.0, None


def _silent(network: Network, seconds: float) -> Callable[[Break], None]:
    def cause(given: Break) -> None:
        network(given).freeze()
        time.sleep(seconds)
        network(given).thaw()

    return cause


def _half_open(network: Network, noticed_after: float = 0.0) -> Callable[[Break], None]:
    def cause(given: Break) -> None:
        for _ in range(3):
            network(given).abandon()
            time.sleep(2)
        if noticed_after:
            time.sleep(noticed_after)
            network(given).notice()

    return cause


def _answers_lost(network: Network) -> Callable[[Break], None]:
    def cause(given: Break) -> None:
        network(given).loses_answers = True
        time.sleep(5)
        network(given).cut()
        network(given).loses_answers = False

    return cause


def _cut(given: Break) -> None:
    for _ in range(20):
        _store(given).cut()
        _stream(given).cut()
        time.sleep(0.4)


FAULTS = (
    Fault(name="net-slow", title="network slow: 100 ms each way, 200 kB/s, for 10 s", cause=_slow),
    Fault(
        name="net-silent-store",
        title="network to PostgreSQL silent for 20 s",
        cause=_silent(_store, SILENT_SECONDS),
    ),
    Fault(name="net-silent-stream", title="network to Redis silent for 20 s", cause=_silent(_stream, SILENT_SECONDS)),
    Fault(
        name="net-half-store",
        title="connections to PostgreSQL half-open, keep-alive after 30 s",
        cause=_half_open(_store, KEEP_ALIVE_SECONDS),
    ),
    Fault(name="net-half-stream", title="connections to Redis half-open for ever", cause=_half_open(_stream)),
    Fault(
        name="net-answers-store",
        title="PostgreSQL does as told, and its answers are lost, 5 s",
        cause=_answers_lost(_store),
    ),
    Fault(
        name="net-answers-stream",
        title="Redis does as told, and its answers are lost, 5 s",
        cause=_answers_lost(_stream),
    ),
    Fault(name="net-cut", title="all connections to both reset, twenty times", cause=_cut),
)
