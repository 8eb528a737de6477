from __future__ import annotations

import pytest

from healing_eval.testing.contract_limiter import LimiterContract


class TestMemoryLimiter(LimiterContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


@pytest.mark.services
class TestRedisLimiter(LimiterContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


@pytest.mark.services
class TestRedisLimiterByTheRulesOfACluster(LimiterContract):
    @pytest.fixture
    def url(self, redis_cluster_url: str) -> str:
        return redis_cluster_url
