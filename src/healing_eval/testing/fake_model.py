"""Where is a language model to test with? A real HTTP server on loopback that speaks three languages.

OpenAI's chat completions at `fake.base_url`, Anthropic's messages and Ollama's own at `fake.address`. In a test: `async
with FakeModel() as fake: ...`. By itself: `python -m healing_eval.testing.fake_model PORT [DELAY_MS]`, then `POST
/control {"mode": "flaky"}`, `GET /stats`, `POST /reset`.

Modes, beside those of `fake_answers`: ok, gullible, any status such as 429 or 500, hang, reset, not_chat, huge (5 MB),
odd_usage (tokens are counted as -1), flaky and flaky429 (the first try of each prompt fails), and as_told: each prompt
says its own mode, as `fault:500`, or `fault:500@10` for one call in ten. Not in Anthropic's, which knows none:
no_logprobs (OpenAI's refuses them, Ollama's overlooks them, as before version 0.12.11), odd_logprobs. Not in Ollama's:
parts (the text comes in parts), cached (half of the prompt's tokens came from a cache, a quarter went into it). Only in
OpenAI's: no_json_schema (refuses `json_schema`), no_response_format (refuses it in any form). Only in Anthropic's:
no_forced_tool and no_temperature (refuses these), refuses (the model declines). Only in Ollama's: no_schema, no_format
(refuses these).

OpenAI's batches and Anthropic's are at the same addresses; `fake.batches` says what becomes of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections import Counter
from typing import Any, NamedTuple, Self

from healing_eval.testing import fake_anthropic, fake_logprobs, fake_ollama
from healing_eval.testing.fake_answers import honest, spoiled
from healing_eval.testing.fake_batches import FakeBatches

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}
_NONCE = re.compile(rb"[0-9a-f]{32,34}")
_TOLD = re.compile(r"fault:(\w+)(?:@(\d+))?")
HUGE = 5 * 1024 * 1024
SETTABLE = ("mode", "delay_ms", "item_delay_ms", "rate", "seed", "retry_after", "only_containing")

Reply = tuple[int, Any]


class FakeModel:
    """A model's server. Its attributes may be changed at any time.

    Attributes:
        mode: how it answers.
        delay_ms: how long an answer takes, in milliseconds.
        item_delay_ms: how much longer for each conversation in the prompt.
        rate: which share of calls follows `mode`, in [0, 1]; the others are ok. Which ones depends on nothing but the
            prompt, how often it came, and `seed`.
        seed: a number, different for servers that are to fail at different calls.
        only_containing: `mode` applies only to prompts with this text; "" for all.
        retry_after: value of that header with a 429, None for none.
        requests: calls counted since the last reset.
        max_in_flight: most calls held at the same time since the last reset.
        payloads: what the last hundred calls asked.
        batches: what was handed in as batches, and what becomes of it.
    """

    def __init__(self, port: int = 0, *, mode: str = "ok", delay_ms: float = 0.0) -> None:
        self.port = port
        self.mode = mode
        self.delay_ms = delay_ms
        self.item_delay_ms = 0.0
        self.rate = 1.0
        self.seed = 0
        self.only_containing = ""
        self.retry_after: str | None = "0"
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self.batches = FakeBatches(self._answer)
        self.reset()

    def reset(self) -> None:
        """Forget what was counted and begin the same chances again."""
        self.requests = 0
        self.connections = 0
        self.max_in_flight = 0
        self.payloads: list[dict[str, Any]] = []
        self._tries: Counter[bytes] = Counter()

    @property
    def base_url(self) -> str:
        """What to set as OPENAI_BASE_URL."""
        return f"{self.address}/v1"

    @property
    def address(self) -> str:
        """What to set as ANTHROPIC_BASE_URL or OLLAMA_BASE_URL."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)
        self.connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                if not await self._respond(request, writer):
                    break
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError):
            pass  # the client or the test is gone
        finally:
            writer.close()

    async def _respond(self, request: _Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be closed."""
        path, headers, body = request.path, request.headers, request.body
        if self.batches.is_about(path):
            reply = await self.batches.reply(request.method, path, headers, body)
        elif path.endswith("/chat/completions") or path in (fake_anthropic.PATH, fake_ollama.PATH):
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
            try:
                reply = await self._complete(path, headers, json.loads(body))
            finally:
                self._in_flight -= 1
        else:
            reply = self._operate(path, body)
        if reply is None:
            writer.transport.abort()
            return False
        status, document = reply
        extra = f"Retry-After: {self.retry_after}\r\n" if status == 429 and self.retry_after is not None else ""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Internal Server Error')}\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}{extra}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        return True

    def _operate(self, path: str, body: bytes) -> Reply:
        if path == "/control":
            for name, value in json.loads(body).items():
                if name not in SETTABLE:
                    return 400, {"error": f"no {name!r}; known: {', '.join(SETTABLE)}"}
                setattr(self, name, value)
            return 200, {name: getattr(self, name) for name in SETTABLE}
        if path == "/reset":
            self.reset()
            return 200, {}
        if path == "/stats":
            counted = ("requests", "connections", "max_in_flight")
            return 200, {name: getattr(self, name) for name in counted} | {"in_flight": self._in_flight}
        return 404, {"error": {"message": f"no {path}"}}

    async def _complete(self, path: str, headers: dict[str, str], payload: dict[str, Any]) -> Reply | None:
        self.requests += 1
        self.payloads = [*self.payloads[-99:], payload]
        delay_ms = self.delay_ms + (self.item_delay_ms and self.item_delay_ms * _conversations_in(payload))
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        chat = fake_anthropic.as_chat(payload) if path == fake_anthropic.PATH else payload["messages"]
        mode = self._mode_for(chat)
        if mode == "hang":
            await asyncio.Event().wait()
        if mode == "reset":
            return None
        return self._said(path, headers, payload, mode)

    def _answer(self, path: str, headers: dict[str, str], payload: dict[str, Any]) -> Reply:
        """Answer a question of a batch."""
        chat = fake_anthropic.as_chat(payload) if path == fake_anthropic.PATH else payload["messages"]
        return self._said(path, headers, payload, self._mode_for(chat))

    def _said(self, path: str, headers: dict[str, str], payload: dict[str, Any], mode: str) -> Reply:
        chat = fake_anthropic.as_chat(payload) if path == fake_anthropic.PATH else payload["messages"]
        text = spoiled(honest(chat, gullible=mode == "gullible"), mode)
        if mode == "huge":
            text += " " * HUGE
        if path == fake_anthropic.PATH:
            return fake_anthropic.refusal(headers, payload, mode) or (200, fake_anthropic.message(payload, text, mode))
        if path == fake_ollama.PATH:
            return fake_ollama.refusal(payload, mode) or (200, fake_ollama.reply(payload, text, mode))
        return _refused(mode, payload) or (200, _completion(payload, text, mode))

    def _mode_for(self, chat: list[dict[str, str]]) -> str:
        prompt = "\n".join(message["content"] for message in chat)
        mode, rate = self.mode, self.rate
        if mode == "as_told":
            told = _TOLD.search(prompt)
            mode, percent = told.groups() if told else ("ok", None)
            rate = int(percent) / 100 if percent else 1.0
        if self.only_containing not in prompt:
            return "ok"
        if rate >= 1 and not mode.startswith("flaky"):
            return mode
        tries, chance = self._try(prompt)
        if chance >= rate:
            return "ok"
        if not mode.startswith("flaky"):
            return mode
        return "ok" if tries else "429" if mode == "flaky429" else "500"

    def _try(self, prompt: str) -> tuple[int, float]:
        """Count how often this prompt came before, and draw a number in [0, 1) for this time."""
        digest = hashlib.blake2b(_NONCE.sub(b"", prompt.encode()), digest_size=12).digest()
        tries = self._tries[digest]
        self._tries[digest] += 1
        drawn = hashlib.blake2b(
            digest + tries.to_bytes(4, "big") + self.seed.to_bytes(4, "big"), digest_size=4
        ).digest()
        return tries, int.from_bytes(drawn, "big") / 2**32


def _conversations_in(payload: dict[str, Any]) -> int:
    return sum(str(message["content"]).count("</conversation-") for message in payload["messages"])


def _refused(mode: str, payload: dict[str, Any]) -> Reply | None:
    if mode.isdigit():
        return int(mode), {"error": {"message": f"fault {mode}", "type": "server"}}
    asked_for = payload.get("response_format", {}).get("type")
    if (mode == "no_json_schema" and asked_for == "json_schema") or (mode == "no_response_format" and asked_for):
        return 400, {"error": {"message": f"response_format {asked_for!r} is not supported"}}
    if mode == "no_logprobs" and payload.get("logprobs"):
        return 400, {"error": {"message": "Unsupported parameter: 'logprobs' is not supported with this model."}}
    return (200, {"hello": "world"}) if mode == "not_chat" else None


def _completion(payload: dict[str, Any], text: str, mode: str) -> dict[str, Any]:
    prompt_tokens = sum(len(message["content"]) for message in payload["messages"]) // 4
    said: Any = text
    if mode == "parts":
        said = [{"type": "text", "text": part} for part in (text[:9], text[9:])]
    message = {"role": "assistant", "content": said}
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": len(text) // 4,
        "total_tokens": prompt_tokens + len(text) // 4,
    }
    if mode == "cached":
        usage["prompt_tokens_details"] = {"cached_tokens": prompt_tokens // 2, "cache_write_tokens": prompt_tokens // 4}
    if mode == "odd_usage":
        usage = {"prompt_tokens": -1, "completion_tokens": 10**30, "prompt_tokens_details": "few"}
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    if payload.get("logprobs"):
        choice["logprobs"] = {"content": fake_logprobs.listed(text, mode, payload.get("top_logprobs", 0))}
    return {
        "id": "fake",
        "object": "chat.completion",
        "created": 0,
        "model": "fake-1",
        "choices": [choice],
        "usage": usage,
    }


class _Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    """In small letters."""
    body: bytes


async def _read_request(reader: asyncio.StreamReader) -> _Request | None:
    """Read one request; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
    body = await _read_body(reader, headers)
    method, path, *_ = first.split(" ")
    return _Request(method, path, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def serve_forever(port: int, delay_ms: float) -> None:
    """Serve until the process is stopped."""
    async with FakeModel(port, delay_ms=delay_ms):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_forever(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
