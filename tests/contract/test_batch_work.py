from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.testing.contract_batch_work import BatchWorkContract


class TestSqliteBatchWork(BatchWorkContract):
    @pytest.fixture
    async def url(self, tmp_path: Path) -> str:
        url = f"sqlite:///{tmp_path}/store.db"
        ledger = SqliteLedger.from_url(url)
        await ledger.open()
        await ledger.close()
        return url


@pytest.mark.services
class TestPostgresqlBatchWork(BatchWorkContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url
