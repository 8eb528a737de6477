"""What does all this look like at work? Sample conversations through the real API, and the report."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click
import msgspec
from rich.text import Text

from healing_eval.cli.loops import run_fast
from healing_eval.cli.output import echo
from healing_eval.cli.report import Facts, hints_for, print_report
from healing_eval.cli.styles import share_text, stdout_console
from healing_eval.cli.text import count_of
from healing_eval.cli.up import run
from healing_eval.config import read_settings
from healing_eval.domain.query import MAX_PAGE, EvaluationQuery
from healing_eval.errors import BackendError, ConfigError
from healing_eval.metaeval.agreement import Agreement, raw_agreement
from healing_eval.pipeline.summary import Summary
from healing_eval.ports.ledger import EvaluatedRevision, Ledger
from healing_eval.telemetry import configure_logging
from healing_eval.testing.samples.collection import sample_conversations
from healing_eval.wiring import Services

PROJECT = "default"
BATCH = 50
QUESTION = "helpfulness"


@click.command()
@click.option("--exit", "exit_afterwards", is_flag=True, help="End after the report instead of staying up.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; by default a free one.")
@click.option(
    "--data",
    "data_dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the store; by default a temporary one, removed afterwards.",
)
def demo(exit_afterwards: bool, port: int, data_dir: Path | None) -> None:
    """Start everything, send about 300 sample conversations through the API, and print the report.

    The samples tell three stories: after a prompt update dates reach a tool in the wrong format; after a while the
    agent forgets that the user is vegetarian; two annotators disagree on what is helpful.
    """
    with ExitStack() as cleaning:
        folder = data_dir or Path(cleaning.enter_context(tempfile.TemporaryDirectory(prefix="healing-eval-demo-")))
        settings = read_settings(data_dir=folder, port=port)
        if settings.store_url is not None:
            raise ConfigError("setting 'store_url' is set: the demo writes samples, and only into a folder of its own")
        configure_logging("error", settings.log.format)
        stop = asyncio.Event()

        async def show(address: str, services: Services) -> None:
            await _show(address, services)
            if exit_afterwards:
                stop.set()
            else:
                click.echo(f"\nStill listening on {address}; Ctrl-C ends the demo.", err=True)

        run_fast(run(settings, show, stop))


async def _show(address: str, services: Services) -> None:
    if await services.catalog.list_keys():
        raise ConfigError(
            f"{services.settings.data_dir} holds API keys, so that its server answers nobody without one, the demo "
            "included; leave out --data, and the demo makes a folder of its own"
        )
    samples = sample_conversations()
    click.echo(f"Healing Eval listens on {address}; sending {len(samples)} sample conversations …", err=True)
    started = time.monotonic()
    batch = min(BATCH, services.settings.limits.batch)
    for first in range(0, len(samples), batch):
        await asyncio.to_thread(_send, address, samples[first : first + batch])
    await _until_evaluated(services.ledger)
    seconds = time.monotonic() - started
    evaluated = await _all_evaluated(services.ledger)
    summary = _summarise(evaluated)
    print_report(summary, Facts(seconds=seconds, hints=hints_for(services.panel)))
    keys = [one.head.revision_key.conversation_key for one in evaluated]
    _print_agreement(await _agreement(services.ledger, keys))
    echo(f"\n Look closer: curl {address}/api/v1/evaluations/{_quoted(summary)}")


def _send(address: str, conversations: Sequence[dict[str, Any]]) -> None:
    """Send a batch.

    Raises:
        ConfigError: the server refuses it, or one of it; with the reason.
        BackendError: the server does not answer.
    """
    body = msgspec.json.encode({"conversations": conversations})
    request = Request(f"{address}/api/v1/conversations", body, {"Content-Type": "application/json"})  # noqa: S310 - ours
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server on loopback
            told = msgspec.json.decode(answer.read(), type=_Answer)
    except HTTPError as error:
        with error:
            told = msgspec.json.decode(error.read(), type=_Answer)
        told = msgspec.structs.replace(told, detail=told.detail or f"HTTP {error.code} {error.reason}")
    except (URLError, TimeoutError) as error:
        raise BackendError(f"{address} does not answer: {error}") from error
    reason = next((item.reason for item in told.items if item.status == "rejected"), told.detail)
    if reason:
        raise ConfigError(f"the server refuses the samples: {reason}; set nothing under limits for the demo")


class _Item(msgspec.Struct):
    status: str
    reason: str = ""


class _Answer(msgspec.Struct):
    """What is read of the server's answer, be it receipts or a problem."""

    items: list[_Item] = []
    detail: str = ""


async def _until_evaluated(ledger: Ledger) -> None:
    while True:
        counts = await ledger.count_by_status()
        if not counts.get("pending", 0) and not counts.get("evaluating", 0):
            return
        await asyncio.sleep(0.05)


async def _all_evaluated(ledger: Ledger) -> list[EvaluatedRevision]:
    found: list[EvaluatedRevision] = []
    cursor: str | None = None
    while True:
        page = await ledger.query(PROJECT, EvaluationQuery(limit=MAX_PAGE, cursor=cursor))
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def _summarise(evaluated: Sequence[EvaluatedRevision]) -> Summary:
    summary = Summary()
    for one in evaluated:
        if one.verdict is not None:
            summary.add(one.head.conversation_id, one.head.agent_version, one.verdict, one.evaluations)
    return summary


async def _agreement(ledger: Ledger, keys: Sequence[bytes]) -> Agreement | None:
    """Measure on the stored annotations how far the annotators agree."""
    labels: dict[bytes, dict[str, Hashable]] = {}
    for stored in await ledger.annotations(keys):
        if stored.annotation.type == QUESTION:
            labels.setdefault(stored.conversation_key, {})[stored.annotation.annotator_id] = stored.annotation.label
    return raw_agreement(QUESTION, labels.values())


def _print_agreement(found: Agreement | None) -> None:
    if found is None:
        return
    line = Text.assemble("\n ", ("People", "bold"), f"  two annotators agree on {found.question} in ")
    line.append_text(share_text(found.share))
    stdout_console().print(line.append(f" of {count_of(found.share.n, 'conversation')} both labelled (95 % interval)"))


def _quoted(summary: Summary) -> str:
    worst = summary.worst()
    return worst[0].conversation_id if worst else ""
