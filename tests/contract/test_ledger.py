from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healing_eval.backends.ledger.postgresql import PostgresqlLedger
from healing_eval.backends.ledger.sqlite import SqliteLedger
from healing_eval.ports.ledger import Ledger
from healing_eval.testing.contract_annotations import AnnotationContract
from healing_eval.testing.contract_backfill import BackfillContract
from healing_eval.testing.contract_clock import ClockContract
from healing_eval.testing.contract_found import FoundContract
from healing_eval.testing.contract_giving_up import GivingUpContract
from healing_eval.testing.contract_ledger import LedgerContract
from healing_eval.testing.contract_query import QueryContract
from healing_eval.testing.contract_retention import DeletionContract, MakeLedger, RetentionContract
from healing_eval.testing.servers.postgresql import Postgresql


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


class TestSqliteBackfill(OnSqlite, BackfillContract):
    pass


class TestSqliteFound(OnSqlite, FoundContract):
    pass


class TestSqliteDeletion(OnSqlite, DeletionContract):
    pass


class TestSqliteRetention(RetentionContract):
    @pytest.fixture
    def make_ledger(self, tmp_path: Path) -> MakeLedger:
        return lambda clock: SqliteLedger(f"sqlite:///{tmp_path}/store.db", clock)


class TestSqliteClock(ClockContract):
    @pytest.fixture
    async def ledger(self, tmp_path: Path, ahead: timedelta) -> AsyncGenerator[Ledger]:
        ledger = SqliteLedger(f"sqlite:///{tmp_path}/store.db", lambda: datetime.now(UTC) + ahead)
        await ledger.open()
        yield ledger
        await ledger.close()


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
class TestPostgresqlBackfill(OnPostgresql, BackfillContract):
    pass


@pytest.mark.services
class TestPostgresqlFound(OnPostgresql, FoundContract):
    pass


@pytest.mark.services
class TestPostgresqlDeletion(OnPostgresql, DeletionContract):
    pass


@pytest.mark.services
class TestPostgresqlRetention(RetentionContract):
    @pytest.fixture
    def make_ledger(self, new_postgresql_url: str) -> MakeLedger:
        return lambda clock: PostgresqlLedger(new_postgresql_url, clock)


@pytest.mark.services
class TestPostgresqlClock(ClockContract):
    @pytest.fixture
    async def ledger(self, postgresql: Postgresql, new_postgresql_url: str, ahead: timedelta) -> AsyncGenerator[Ledger]:
        postgresql.set_clock(new_postgresql_url.rpartition("/")[2], ahead)
        ledger = PostgresqlLedger(new_postgresql_url)
        await ledger.open()
        yield ledger
        await ledger.close()
