from __future__ import annotations

import pytest

from healing_eval.testing.contract_stream import StreamContract


class TestMemoryStream(StreamContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory://"


@pytest.mark.services
class TestRedisStream(StreamContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


@pytest.mark.services
class TestRedisStreamByTheRulesOfACluster(StreamContract):
    """One node with all slots: what touches two slots at once is refused as in a real cluster."""

    @pytest.fixture
    def url(self, redis_cluster_url: str) -> str:
        return redis_cluster_url
