from __future__ import annotations

import pytest

from healing_eval.testing.contract_lease import LeaseContract


class TestMemoryLease(LeaseContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


@pytest.mark.services
class TestRedisLease(LeaseContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


@pytest.mark.services
class TestRedisLeaseByTheRulesOfACluster(LeaseContract):
    @pytest.fixture
    def url(self, redis_cluster_url: str) -> str:
        return redis_cluster_url
