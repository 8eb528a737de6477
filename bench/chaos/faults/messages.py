"""What if messages come twice, are rubbish, or kill whoever takes them?"""

from __future__ import annotations

import asyncio
import time

import msgspec

from bench.chaos.fault import Break, Fault
from bench.chaos.poison import HANGS, KILLS, RAISES
from bench.chaos.site import LANES, Plan, Site
from healing_eval.backends.stream.redis import RedisStream
from healing_eval.domain.revision import RevisionKey
from healing_eval.testing.builders import a_conversation, wire_item

ROUNDS = 10
GIVING_UP_SECONDS = 60.0
"""How long is posted on at most until the one that kills is given up."""
HANGING_SECONDS = 60.0
"""How long is posted on after one on which a process hangs; it is given up later, as each try takes longer."""
UNANSWERABLE = "Nobody will ever answer this"
"""A text on which the model always fails."""
_GARBAGE = (
    "k garbage",
    "nobody knows",
    "k 0123456789abcdefghijkl",  # as long as a message, about a conversation that nobody has
    r'k "0123456789abcdef\x00\x00\x00\x00\x00\x00"',  # revision 0
    "k garbage k more",
    f"k {'x' * 10_000}",
)


def _everything_again(given: Break) -> None:
    """Ring every conversation once a second on both lanes, evaluated or not, and post all of it twice."""
    given.client.twice = True
    asyncio.run(_ring_again(given.site))
    given.client.twice = False


async def _ring_again(site: Site) -> None:
    stream = RedisStream.from_url(site.redis.url)
    for _ in range(ROUNDS):
        found = site.rows("SELECT encode(conversation_key, 'hex'), revision FROM conversations")
        keys = [RevisionKey(bytes.fromhex(key), int(revision)) for key, revision in found]
        for lane in LANES:
            await stream.append(lane, keys)
        await asyncio.sleep(1)
    await stream.close()


def _garbage(given: Break) -> None:
    """Let somebody else write into our streams, and among what waits for later."""
    redis = given.site.redis
    for _ in range(ROUNDS):
        for lane in LANES:
            name = given.site.stream_of(lane)
            for entry in _GARBAGE:
                redis.ask(f"XADD {name} * {entry}")
            redis.ask(f"ZADD {name}:delayed 0 garbage")
        time.sleep(0.5)


def _not_a_stream(given: Break) -> None:
    """Put something else where the streams were, and take it away again."""
    names = [given.site.stream_of(lane) for lane in LANES]
    for name in names:
        given.site.redis.ask(f"SET {name} garbage")
    time.sleep(5)
    given.site.redis.ask(f"DEL {' '.join(names)}")


def _post(given: Break, name: str, text: str = "") -> None:
    item = wire_item(a_conversation(name))
    if text:
        item["turns"][0]["content"] = text
    given.client.post(msgspec.json.encode({"conversations": [item]}))


def _kills(given: Break) -> None:
    """Post, amid the others, a conversation whose evaluation kills the process; it has to be given up alone."""
    given.given_up.append(f"{KILLS}-{time.time_ns():x}")
    _post(given, given.given_up[-1])
    deadline = time.monotonic() + GIVING_UP_SECONDS
    while time.monotonic() < deadline and not _is_failed(given.site, given.given_up[-1]):
        time.sleep(0.5)


def _hangs(given: Break) -> None:
    """Post, amid the others, a conversation in whose evaluation the process hangs; it has to be given up alone."""
    given.given_up.append(f"{HANGS}-{time.time_ns():x}")
    _post(given, given.given_up[-1])
    time.sleep(HANGING_SECONDS)


def _is_failed(site: Site, name: str) -> bool:
    return site.rows(f"SELECT status FROM conversations WHERE conversation_id = '{name}'") == [["failed"]]


def _fails(given: Break) -> None:
    """Post some that an evaluator always fails on, and some that the model does."""
    given.site.tell_model(mode="500", only_containing=UNANSWERABLE)
    for number in range(5):
        _post(given, f"{RAISES}-{number}-{time.time_ns():x}")
        _post(given, f"unanswerable-{number}-{time.time_ns():x}", UNANSWERABLE)
    time.sleep(5)


FAULTS = (
    Fault(name="twice", title="all rung again every second, ten times, and posted twice", cause=_everything_again),
    Fault(name="garbage", title="garbage in the streams: 140 entries of seven kinds", cause=_garbage),
    Fault(name="no-stream", title="something else under the streams' names for 5 s", cause=_not_a_stream),
    Fault(
        name="poison-kills",
        title="a conversation whose evaluation kills the worker",
        cause=_kills,
        plan=Plan(poisoned=True),
    ),
    Fault(
        name="poison-hangs",
        title="a conversation in whose evaluation the worker hangs",
        cause=_hangs,
        plan=Plan(poisoned=True, settings={"HEALING_EVAL_WORKER__HUNG_AFTER_SECONDS": "3"}),
    ),
    Fault(
        name="poison-fails",
        title="five an evaluator always fails on, five the model does",
        cause=_fails,
        plan=Plan(poisoned=True, settings={"HEALING_EVAL_WORKER__RETRY_FOR_SECONDS": "15"}),
        most_unjudged=0.01,
    ),
)
