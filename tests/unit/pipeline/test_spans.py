"""What several share is one span, in the trace of the first of them and linked with the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from healing_eval.pipeline.spans import TracedTogether, spanning, together
from healing_eval.pipeline.together import Together
from healing_eval.ports.tracer import Tracer
from healing_eval.testing.collector import Collector


class Shelf:
    """Holds each transaction open until it is let go."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def write(self, items: Sequence[str]) -> list[str]:
        self.transactions.append(list(items))
        self.begun.set()
        await self.go_on.wait()
        return [item.upper() for item in items]


async def test_a_shared_transaction_is_in_the_first_trace_and_linked_with_the_others(
    tracer: Tracer, collector: Collector
) -> None:
    shelf = Shelf()
    stores = TracedTogether[str, str](shelf.write, tracer, "things")

    async def request(name: str) -> list[str]:
        with spanning(tracer, f"request {name}", "server", {}, parent=None):
            return await stores.write([name])

    alone = asyncio.create_task(request("a"))
    await shelf.begun.wait()
    others = [asyncio.create_task(request(name)) for name in ("b", "c")]
    untraced = asyncio.create_task(stores.write(["d"]))
    await asyncio.sleep(0)
    shelf.go_on.set()
    answers = [await task for task in (alone, *others, untraced)]
    await tracer.close()

    assert answers == [["A"], ["B"], ["C"], ["D"]]
    assert shelf.transactions == [["a"], ["b", "c", "d"]]
    requests = [collector.named(f"request {name}")[0] for name in "abc"]
    waits = {span.parent_id: span for span in collector.named("store things")}
    of_a, of_b, of_c = (waits[request.span_id] for request in requests)
    first, second = sorted(collector.named("transaction"), key=lambda span: span.started_ns)
    assert (first.parent_id, first.links) == (of_a.span_id, ())
    assert (second.parent_id, second.links) == (of_b.span_id, ((of_c.trace_id, of_c.span_id),))
    assert (of_b.links, of_c.links) == ((), ((second.trace_id, second.span_id),))
    assert second.attributes["healing_eval.conversations"] == 3
    assert len({request.trace_id for request in requests}) == 3


async def test_a_transaction_of_nobody_with_a_trace_has_no_span(tracer: Tracer, collector: Collector) -> None:
    shelf = Shelf()
    shelf.go_on.set()

    done = await TracedTogether[str, str](shelf.write, tracer, "things").write(["a"])
    await tracer.close()

    assert (done, collector.spans) == (["A"], [])


async def test_a_failed_transaction_fails_the_spans_of_all(tracer: Tracer, collector: Collector) -> None:
    async def write(_items: Sequence[str]) -> list[str]:
        raise ValueError("content")

    stores = TracedTogether[str, str](write, tracer, "things")
    with spanning(tracer, "request", "server", {}, parent=None):
        failed = await asyncio.gather(stores.write(["a"]), return_exceptions=True)
    await tracer.close()

    assert [type(error) for error in failed] == [ValueError]
    assert {span.name: span.attributes.get("error.type") for span in collector.spans} == {
        "transaction": "ValueError",
        "store things": "ValueError",
        "request": None,
    }


def test_without_a_tracer_nothing_stands_in_between() -> None:
    assert type(together(Shelf().write, None, "things")) is Together
