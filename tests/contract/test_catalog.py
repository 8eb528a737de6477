from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.testing.contract_catalog import CatalogContract


class TestSqliteCatalog(CatalogContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/store.db"


@pytest.mark.services
class TestPostgresqlCatalog(CatalogContract):
    @pytest.fixture
    def url(self, postgresql_url: str) -> str:
        return postgresql_url
