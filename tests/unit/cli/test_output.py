"""Is a full disk told from every other fault?"""

from __future__ import annotations

import errno
import os

import pytest

from healing_eval.cli.output import CannotWrite, writing


def test_a_full_disk_says_that_the_output_cannot_be_written() -> None:
    with pytest.raises(CannotWrite, match="No space left on device"), writing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_reader_that_went_away_is_no_fault() -> None:
    with pytest.raises(BrokenPipeError), writing():
        raise BrokenPipeError
