"""What is one thing that the doctor looked at?"""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    status: Status
    detail: str
    advice: str = ""
    """What to do; empty when all is well."""
