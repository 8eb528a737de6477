"""Read, store, ring, answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

from healing_eval import telemetry
from healing_eval.domain.revision import Receipt, RevisionKey, Submission
from healing_eval.errors import BackendError
from healing_eval.formats.limits import WireLimits
from healing_eval.pipeline.ingest import READ_ASIDE_BYTES, Ingest
from healing_eval.ports.ledger import Ledger
from healing_eval.ports.stream import Stream


class Shelf:
    """Says what a ledger would; an id seen before with other content is a revision."""

    def __init__(self) -> None:
        self.seen: dict[bytes, list[bytes]] = {}
        self.transactions = 0
        self.lanes: set[Sequence[str]] = set()

    async def add(self, submissions: Sequence[Submission], lanes: Sequence[str]) -> list[Receipt]:
        self.transactions += 1
        self.lanes.add(lanes)
        return [self._add(one) for one in submissions]

    def _add(self, one: Submission) -> Receipt:
        states = self.seen.setdefault(one.key, [])
        new = one.content_hash not in states
        if new:
            states.append(one.content_hash)
        key = RevisionKey(one.key, len(states))
        status = "pending" if one.evaluable else "unevaluable"
        return Receipt("duplicate" if not new else "accepted" if len(states) == 1 else "revised", key, status)


class Bell:
    def __init__(self, *, broken: str = "") -> None:
        self.rung: dict[str, list[RevisionKey]] = {}
        self._broken = broken

    async def append(self, lane: str, keys: Sequence[RevisionKey], *, traceparent: str | None = None) -> None:
        if lane == self._broken:
            raise BackendError("down")
        self.rung.setdefault(lane, []).extend(keys)


def stage(shelf: Shelf, bell: Bell) -> Ingest:
    lanes = ("checks", "judges", "style")
    return Ingest(cast("Ledger", shelf), cast("Stream", bell), lanes, lanes[:2], WireLimits())


def item(name: str, text: str = "hello", role: str = "assistant", **other: Any) -> dict[str, Any]:
    turns = [{"turn_id": 1, "role": role, "content": text}]
    return {"conversation_id": name, "agent_version": "v", "turns": turns} | other


def body(*items: Any) -> bytes:
    return json.dumps({"conversations": items}).encode()


async def test_good_items_are_stored_in_one_transaction_and_rung_on_the_lanes_they_begin_on() -> None:
    shelf, bell = Shelf(), Bell()

    taken = await stage(shelf, bell).ingest(body(item("a"), None, item("b")), "application/json", "p")

    assert [one.status for one in taken.answer.items] == ["accepted", "rejected", "accepted"]
    assert [one.index for one in taken.answer.items] == [0, 1, 2]
    assert taken.stored == 2
    assert shelf.transactions == 1
    assert len(bell.rung["checks"]) == 2
    assert bell.rung["checks"] == bell.rung["judges"]
    assert bell.rung.keys() == {"checks", "judges"}
    assert shelf.lanes == {("checks", "judges", "style")}


async def test_only_the_newest_state_that_waits_is_rung() -> None:
    bell = Bell()
    items = (item("a"), item("a"), item("a", "changed"), item("mute", role="user"))

    taken = await stage(Shelf(), bell).ingest(body(*items), "application/json", "p")

    assert [one.status for one in taken.answer.items] == ["accepted", "duplicate", "revised", "accepted"]
    assert [key.revision for key in bell.rung["checks"]] == [2]
    assert taken.answer.items[3].conversation_status == "unevaluable"


async def test_a_broken_stream_is_counted_and_fails_nothing() -> None:
    before = telemetry.REGISTRY.get_sample_value("healing_eval_unrung_conversations_total", {"lane": "checks"}) or 0
    bell = Bell(broken="checks")

    taken = await stage(Shelf(), bell).ingest(body(item("a")), "application/json", "p")

    assert taken.stored == 1
    assert len(bell.rung["judges"]) == 1
    after = telemetry.REGISTRY.get_sample_value("healing_eval_unrung_conversations_total", {"lane": "checks"})
    assert after == before + 1


async def test_when_nothing_can_be_taken_no_transaction_is_opened() -> None:
    shelf = Shelf()

    taken = await stage(shelf, Bell()).ingest(body(None, {}), "application/json", "p")

    assert taken.stored == 0
    assert shelf.transactions == 0
    assert all(one.reason for one in taken.answer.items)


async def test_a_big_body_is_read_like_a_small_one() -> None:
    big = body(item("big", "x" * READ_ASIDE_BYTES))

    taken = await stage(Shelf(), Bell()).ingest(big, "application/json", "p")

    assert [one.status for one in taken.answer.items] == ["accepted"]
