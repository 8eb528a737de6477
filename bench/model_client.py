"""What does a call to a model cost our own process?

    .venv/bin/python -m bench.model_client [--calls 4000] [--rounds 3] [--json]

A fake model in a process of its own answers each prompt of the judge (6 kB) after 30 ms. CPU milliseconds a call of the
process that asks, by provider and by how many calls are under way at once, after a first thousand calls; and the same
through what evaluators really ask, a router in front of three deployments. The first rows are the floor: aiohttp and
msgspec without anything of ours, which tells what of a figure is the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, cast

import aiohttp
import msgspec

from healing_eval import plugins
from healing_eval.cli.loops import run_fast
from healing_eval.evaluators.judge.prompt import answer_schema
from healing_eval.evaluators.judge.rubric import load_rubric
from healing_eval.gateway.deployment import Deployment
from healing_eval.gateway.priced import priced_model
from healing_eval.gateway.prices import Prices
from healing_eval.gateway.rates import Rates
from healing_eval.gateway.router import Router
from healing_eval.ports.chat_model import ChatMessage, ChatModel, ChatRequest
from healing_eval.testing.servers.process import free_port, wait_until_ready

DELAY_MS = "30"
CONCURRENCY = (50, 200)
WARM_UP_CALLS = 1000
PROVIDERS = ("openai", "anthropic", "ollama")


class Asked(Protocol):
    """Who answers requests, however."""

    async def ask(self, request: ChatRequest) -> object: ...

    async def close(self) -> None: ...


class Bare:
    """The two libraries that our clients are made of, and nothing around them."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/chat/completions"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max(CONCURRENCY)),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json"},
        )

    async def ask(self, request: ChatRequest) -> Any:
        schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
        payload = {
            "model": "fake",
            "messages": request.messages,
            "max_tokens": request.max_output_tokens,
            "temperature": request.temperature,
            "response_format": {"type": "json_schema", "json_schema": schema},
        }
        async with self._session.post(self._url, data=msgspec.json.encode(payload)) as response:
            return msgspec.json.decode(await response.read())

    async def close(self) -> None:
        await self._session.close()


def request() -> ChatRequest:
    rubric = load_rubric(None)
    conversation = "The flight leaves at 10:15 from gate 4. " * 60
    messages = [ChatMessage("system", rubric.text), ChatMessage("user", conversation)]
    return ChatRequest(messages=messages, schema=answer_schema(rubric), schema_name="verdict")


@contextmanager
def fake_model() -> Generator[Mapping[str, str]]:
    """Start one, and give the environment in which every provider asks it."""
    port = free_port()
    command = [sys.executable, "-m", "healing_eval.testing.fake_model", str(port), DELAY_MS]
    with subprocess.Popen(command) as process:
        try:
            wait_until_ready(lambda: _listens(port), f"the fake model on port {port}")
            address = f"http://127.0.0.1:{port}"
            bases = {"OPENAI_BASE_URL": f"{address}/v1", "ANTHROPIC_BASE_URL": address, "OLLAMA_BASE_URL": address}
            yield bases | {"ANTHROPIC_API_KEY": "sk-fake"}
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


async def cpu_ms(model: Asked, asked: ChatRequest, calls: int, concurrency: int) -> float:
    """Ask so often, and give CPU milliseconds a call."""

    async def ask(times: int) -> None:
        for _ in range(times):
            await model.ask(asked)

    async def ask_all(total: int) -> None:
        await asyncio.gather(*(ask(total // concurrency) for _ in range(concurrency)))

    await ask_all(WARM_UP_CALLS)
    before = time.process_time()
    await ask_all(calls)
    return 1000 * (time.process_time() - before) / (calls // concurrency * concurrency)


async def measure(calls: int, rounds: int, found: dict[str, list[float]]) -> None:
    asked = request()
    with fake_model() as environment:
        bare = Bare(environment["OPENAI_BASE_URL"])
        await _measure_one("aiohttp and msgspec alone", bare, asked, calls, rounds, found)
        for provider in PROVIDERS:
            model = cast("type[ChatModel]", plugins.load(plugins.CHAT_MODEL, provider)).create("fake", environment)
            await _measure_one(provider, model, asked, calls, rounds, found)
        await _measure_one("a pool of three", pool_of_three(environment), asked, calls, rounds, found)


async def _measure_one(
    title: str, model: Asked, asked: ChatRequest, calls: int, rounds: int, found: dict[str, list[float]]
) -> None:
    for concurrency in CONCURRENCY:
        name = f"{title}, {concurrency} at once"
        found[name] = [await cpu_ms(model, asked, calls, concurrency) for _ in range(rounds)]
    await model.close()


def pool_of_three(environment: Mapping[str, str]) -> ChatModel:
    """Make what evaluators ask: three openai deployments that answer for each other, with prices."""
    provider = cast("type[ChatModel]", plugins.load(plugins.CHAT_MODEL, "openai"))
    prices = {"openai:fake": Rates(input_dollars=1.0, output_dollars=2.0)}
    clients = [provider.create("fake", environment) for _ in range(3)]
    priced = [priced_model(client, Prices(client.name, client.base_url, prices)) for client in clients]
    deployments = [Deployment(f"site-{place}", model) for place, model in enumerate(priced)]
    return cast("ChatModel", Router("pool", deployments))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found: dict[str, list[float]] = {}
    run_fast(measure(chosen.calls, chosen.rounds, found))
    if chosen.json:
        print(json.dumps(found))
        return
    print(f"CPU milliseconds a call, median of {chosen.rounds} rounds of {chosen.calls} calls")
    for name, values in found.items():
        print(f"  {name:<40} {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f})")


if __name__ == "__main__":
    main()
