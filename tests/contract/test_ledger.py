from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.testing.contract_annotations import AnnotationContract
from healing_eval.testing.contract_giving_up import GivingUpContract
from healing_eval.testing.contract_ledger import LedgerContract
from healing_eval.testing.contract_query import QueryContract


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new folder/store.db"


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestSqliteQueries(QueryContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestSqliteAnnotations(AnnotationContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestSqliteGivingUp(GivingUpContract):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url
