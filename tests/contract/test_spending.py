from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.testing.contract_spending import SpendingContract


class TestMemorySpending(SpendingContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


class TestSqliteSpending(SpendingContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/new folder/spending.db"


@pytest.mark.services
class TestRedisSpending(SpendingContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


@pytest.mark.services
class TestRedisSpendingByTheRulesOfACluster(SpendingContract):
    @pytest.fixture
    def url(self, redis_cluster_url: str) -> str:
        return redis_cluster_url
