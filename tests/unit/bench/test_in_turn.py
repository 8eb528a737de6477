"""What is left of a throughput?"""

from __future__ import annotations

import pytest
from bench.gateway.__main__ import shares_left
from bench.production.rows import Round


def test_each_round_is_held_against_the_one_measured_beside_it() -> None:
    assert shares_left([(Round(100.0), Round(60.0)), (Round(50.0), Round(40.0))]) == [pytest.approx(0.6), 0.8]
