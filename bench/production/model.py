"""Which model judges in a benchmark? One that costs next to nothing, so that what is measured is ours.

    python -m bench.production.model PORT DELAY_MS

A real HTTP server that reads the nonce and one sentence of the agent from the prompt, and answers our schema with it.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, cast

import msgspec
import uvloop

_BLOCK = re.compile(rb"<conversation-([0-9a-f]+)>")
_SPOKEN = re.compile(rb'\\"turn_id\\":(\d+),\\"role\\":\\"assistant\\",\\"content\\":\\"([ -!#-\[\]-~]{8,60})')
_CRITERION = re.compile(rb"\\n## ([a-z_]+)\\n")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def answer(prompt: bytes) -> bytes:
    """Judge whatever it is with 4 of 5, quoting the agent's first words, for each conversation in the prompt."""
    blocks = list(_BLOCK.finditer(prompt))
    rubric = prompt[: blocks[0].start()] if blocks else b""
    names = [name.decode() for name in _CRITERION.findall(rubric)]
    verdicts = [_verdict(prompt, block, names) for block in blocks]
    said = verdicts[0] if len(verdicts) == 1 else {"answers": verdicts}
    message = {"role": "assistant", "content": msgspec.json.encode(said).decode()}
    return msgspec.json.encode(
        {
            "model": "bench-1",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": len(prompt) // 4,
                "completion_tokens": 200 * len(verdicts),
                "total_tokens": len(prompt) // 4 + 200 * len(verdicts),
            },
        }
    )


def _verdict(prompt: bytes, block: re.Match[bytes], names: list[str]) -> dict[str, Any]:
    spoken = _SPOKEN.search(prompt, block.end())
    evidence = {"turn_id": spoken[1].decode(), "quote": spoken[2].decode()} if spoken else {}
    return {
        "nonce": block[1].decode(),
        "criteria": [
            {"name": name, "evidence": [evidence], "reason": "The replies fit.", "score": 4} for name in names
        ],
        "issues": [],
    }


class Completions(asyncio.Protocol):
    """One connection."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._received = bytearray()
        self._wanted = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none of asyncio's

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._wanted < 0 and (end := self._received.find(b"\r\n\r\n")) >= 0:
            found = _LENGTH.search(self._received, 0, end)
            self._wanted = end + 4 + (int(found[1]) if found else 0)
        if 0 <= self._wanted <= len(self._received):
            body = answer(bytes(self._received))
            self._received.clear()
            self._wanted = -1
            reply = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            asyncio.get_running_loop().call_later(self._delay_seconds, self._reply, reply)

    def _reply(self, reply: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(reply)


async def serve(port: int, delay_seconds: float) -> None:
    """Answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Completions(delay_seconds), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
