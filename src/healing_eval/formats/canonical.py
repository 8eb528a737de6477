"""When are two conversations the same?

Content is agent_version, tools, system_prompt and the entries of `turns` (or `messages`), each as it was decoded:
unknown fields count, the order of names and white space do not. Feedback, metadata and `complete` are not content.

The chain has one hash for each raw entry, which is a turn in our own shape and a message in OpenAI's, system messages
and tool results included. So a prefix of the chain is a prefix of the bytes, and `prefix.cut` is exact. The chain
begins with the name of the shape: turns never continue messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from healing_eval.domain.revision import HASH_BYTES

_encode = msgspec.json.Encoder(order="sorted").encode


class Hashes(NamedTuple):
    """What tells one content from another."""

    links: tuple[bytes, ...]
    """The chain of the entries."""
    digest: bytes
    """The hash of everything (16 bytes)."""


class Content(msgspec.Struct, frozen=True):
    """What is content of one item; hashed only by those who need a hash, since that takes as long as to decode it."""

    shape: str
    agent_version: str
    tools: Any
    system_prompt: Any
    entries: list[Any]

    def hashes(self) -> Hashes:
        """Hash it."""
        links = chain(self.shape, self.entries)
        return Hashes(links, content_hash(self.agent_version, self.tools, self.system_prompt, links[-1]))

    def fingerprint(self) -> int:
        """Hash everything at a fraction of the cost, into 64 bits that mean nothing outside of this process."""
        return hash(_encode(self))


def chain(shape: str, entries: Iterable[Any]) -> tuple[bytes, ...]:
    """Hash each entry together with the hash of all before it (16 bytes each)."""
    hashes: list[bytes] = []
    previous = shape.encode()
    for entry in entries:
        previous = blake2b(previous + _encode(entry), digest_size=HASH_BYTES).digest()
        hashes.append(previous)
    return tuple(hashes)


def content_hash(agent_version: str, tools: Any, system_prompt: Any, last_link: bytes) -> bytes:
    """Hash everything that is content (16 bytes); `last_link` stands for all entries."""
    head = _encode((agent_version, tools, system_prompt))
    return blake2b(last_link + head, digest_size=HASH_BYTES).digest()
