from __future__ import annotations

from pathlib import Path

import pytest

from healing_eval.testing.contract_archive import ArchiveContract


class TestFileArchive(ArchiveContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"file://{tmp_path}/old%20months"
