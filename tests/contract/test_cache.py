from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.testing.contract_cache import CacheContract


class TestMemoryCache(CacheContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


class TestSqliteCache(CacheContract):
    @pytest.fixture
    async def url(self, tmp_path: Path) -> str:
        url = f"sqlite:///{tmp_path}/store.db"
        ledger = SqliteLedger.from_url(url)
        await ledger.open()
        await ledger.close()
        return url


@pytest.mark.services
class TestPostgresqlCache(CacheContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url


@pytest.mark.services
class TestRedisCache(CacheContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


@pytest.mark.services
class TestRedisCacheByTheRulesOfACluster(CacheContract):
    @pytest.fixture
    def url(self, redis_cluster_url: str) -> str:
        return redis_cluster_url
