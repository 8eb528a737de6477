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
