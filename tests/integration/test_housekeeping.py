"""The workers let old months go by themselves, and go on working."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.config import read_settings
from healing_eval.testing.builders import PROJECT
from healing_eval.testing.contract_retention import accept, judge
from healing_eval.testing.waiting import wait_until
from healing_eval.wiring import build_services
from healing_eval.worker.crew import run_crew


async def test_workers_archive_and_drop_what_is_older_than_is_kept(tmp_path: Path) -> None:
    settings = read_settings(data_dir=tmp_path, retention={"keep_months": 3}, archive_url=f"file://{tmp_path}/archive")
    old = SqliteLedger(settings.effective_store_url, lambda: datetime(2024, 3, 5, tzinfo=UTC))
    await old.open()
    await judge(old, await accept(old, "old"))
    await old.close()
    services, stop = build_services(settings), asyncio.Event()
    await services.open()
    await accept(services.ledger, "new")

    async def settled() -> bool:
        new = await services.ledger.find(PROJECT, "new")
        return new is not None and new.status == "done" and await services.ledger.find(PROJECT, "old") is None

    working = asyncio.create_task(run_crew(services, stop))
    await wait_until(settled, seconds=30)
    stop.set()
    await working

    assert services.archive is not None
    kept = {part.table: part.rows for part in await services.archive.parts()}
    await services.close()
    assert kept == {"evaluations": 2, "issues": 2, "revisions": 1, "verdicts": 1}
