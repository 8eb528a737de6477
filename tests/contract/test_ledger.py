from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.testing.contract_annotations import AnnotationContract
from healing_eval.testing.contract_giving_up import GivingUpContract
from healing_eval.testing.contract_ledger import LedgerContract
from healing_eval.testing.contract_query import QueryContract
from healing_eval.testing.contract_retention import DeletionContract, MakeLedger, RetentionContract


class OnSqlite:
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/new folder/store.db"


class TestSqliteLedger(OnSqlite, LedgerContract):
    pass


class TestSqliteQueries(OnSqlite, QueryContract):
    pass


class TestSqliteAnnotations(OnSqlite, AnnotationContract):
    pass


class OnPostgresql:
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url


class TestSqliteGivingUp(OnSqlite, GivingUpContract):
    pass


class TestSqliteDeletion(OnSqlite, DeletionContract):
    pass


class TestSqliteRetention(RetentionContract):
    @pytest.fixture
    def make_ledger(self, tmp_path: Path) -> MakeLedger:
        return lambda clock: SqliteLedger(f"sqlite:///{tmp_path}/store.db", clock)


@pytest.mark.services
class TestPostgresqlLedger(OnPostgresql, LedgerContract):
    pass


@pytest.mark.services
class TestPostgresqlQueries(OnPostgresql, QueryContract):
    pass


@pytest.mark.services
class TestPostgresqlAnnotations(OnPostgresql, AnnotationContract):
    pass


@pytest.mark.services
class TestPostgresqlGivingUp(OnPostgresql, GivingUpContract):
    pass


@pytest.mark.services
class TestPostgresqlDeletion(OnPostgresql, DeletionContract):
    pass


@pytest.mark.services
class TestPostgresqlRetention(RetentionContract):
    @pytest.fixture
    def make_ledger(self, new_postgresql_url: str) -> MakeLedger:
        return lambda clock: PostgresqlLedger(new_postgresql_url, clock)
