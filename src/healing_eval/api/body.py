"""How are the bytes of a request read, and not too many of them?"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

from litestar import Request
from litestar.exceptions import ClientException, HTTPException
from litestar.types import Receive

from healing_eval.api.headers import Headers
from healing_eval.errors import LimitExceeded, NotJson
from healing_eval.formats.body import NDJSON_TYPES

JSON_TYPES = frozenset({"application/json"})
_GZIP = 16 + zlib.MAX_WBITS


async def read_bytes(headers: Headers, receive: Receive, limit: int, media_types: frozenset[str] = JSON_TYPES) -> bytes:
    """Read the body, decompressed if need be, and stop at the limit.

    Raises:
        LimitExceeded: the body is larger than `limit` bytes, as sent or decompressed.
        NotJson: it says it is gzip, and is not.
        HTTPException: 415, the content type or encoding is none of those expected.
    """
    _check_type(headers.get(b"content-type", ""), media_types)
    announced = headers.get(b"content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(limit)
    encoding = headers.get(b"content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return await _join(_chunks(receive), limit)
    if encoding in {"gzip", "x-gzip"}:
        return await _join(_decompressed(_chunks(receive), limit), limit)
    raise HTTPException(
        status_code=415, detail="expected the content encoding gzip or none", headers={"Accept-Encoding": "gzip"}
    )


async def read_json(request: Request[Any, Any, Any], limit: int) -> bytes:
    """Read the body of a request that sends JSON; see `read_bytes`."""
    return await read_bytes(Headers(request.scope), request.receive, limit)


def _check_type(content_type: str, media_types: frozenset[str]) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in media_types:
        got = f"got {media_type[:100]!a}" if media_type else "got none"
        raise HTTPException(
            status_code=415, detail=f"expected the content type {' or '.join(sorted(media_types))}, {got}"
        )


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientException("the connection ended before the body did")
        yield event.get("body", b"")
        if not event.get("more_body", False):
            return


async def _join(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    taken: list[bytes] = []
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        taken.append(chunk)
    return b"".join(taken)


async def _decompressed(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Decompress piece by piece, none larger than the limit, so that a bomb costs no more than an honest body."""
    inflate = zlib.decompressobj(_GZIP)
    async for chunk in chunks:
        try:
            while chunk:
                if inflate.eof:  # gzip files may be joined
                    inflate = zlib.decompressobj(_GZIP)
                yield inflate.decompress(chunk, limit + 1)
                chunk = inflate.unused_data or inflate.unconsumed_tail  # noqa: PLW2901 - what is left of this chunk
        except zlib.error:
            raise NotJson("the body is not gzip, as its content encoding says") from None
    if not inflate.eof:
        raise NotJson("the body ends in the middle of its gzip data")


def _too_large(limit: int) -> LimitExceeded:
    return LimitExceeded(f"the body is larger than {limit} bytes, the limit of one request (setting limits.body_bytes)")


CONVERSATION_TYPES = JSON_TYPES | NDJSON_TYPES
