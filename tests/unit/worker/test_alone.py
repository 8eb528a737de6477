"""Who else works on this store?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healing_eval.errors import BackendError, ConfigError
from healing_eval.worker.alone import working_alone


def test_a_second_one_is_refused_with_the_folder_and_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/store.db"

    with (
        working_alone(url),
        pytest.raises(ConfigError, match=rf"{tmp_path}/new' is in use by .* process {os.getpid()};"),
        working_alone(url),
    ):
        pass

    with working_alone(url):
        pass


def test_stores_in_different_folders_and_servers_are_not_in_each_others_way(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/a/store.db", f"sqlite:///{tmp_path}/b/store.db", "postgresql://host/db"]

    with working_alone(urls[0]), working_alone(urls[1]), working_alone(urls[2]), working_alone(urls[2]):
        pass


def test_a_folder_that_cannot_be_made_is_a_backend_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BackendError, match="cannot be used"), working_alone(f"sqlite:///{tmp_path}/file/store.db"):
        pass
