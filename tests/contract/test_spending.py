from __future__ import annotations

import pytest

from healing_eval.testing.contract_spending import SpendingContract


class TestMemorySpending(SpendingContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


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
