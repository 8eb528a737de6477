"""What of a setting may be shown? Everything but secrets, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

MASK = "***"

_SECRETS = ("key", "secret", "token", "password", "passwd", "pwd", "passphrase", "credential", "auth", "authorization")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_USER = re.compile(r"(?<=://)[^\s'\"]*(?=@)")  # up to the last @, since a password may hold some
_QUERY = re.compile(r"(?<=[?&;])([^=&;#\s]+)=([^&;#\s]*)")
_NUMERAL = re.compile(r"\d+")


def masked(value: Any, name: str = "") -> Any:
    """Give a value as it may be shown: what is called a secret is masked, and so are credentials in addresses.

    Args:
        value: as it was read; tables and arrays are looked through.
        name: what it is called; of a dotted name the last part counts.
    """
    if value and _is_secret(name.rpartition(".")[2], value):
        return MASK
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        return {key: masked(part, key) for key, part in table.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [masked(part) for part in cast("Sequence[Any]", value)]
    return _without_credentials(str(value)) if isinstance(value, Path | str) else value


def _is_secret(name: str, value: Any) -> bool:
    """Whether a name says so: `api_key`, `apiKey` and `token_file` do, a number of tokens does not."""
    if isinstance(value, bool):
        return False
    words = [word.lower() for word in _WORD.findall(name)]
    if "tokens" in words and _NUMERAL.fullmatch(str(value)):
        return False
    return any(word.removesuffix("s").endswith(_SECRETS) for word in words)


def _without_credentials(text: str) -> str:
    text = _USER.sub(MASK, text)
    return _QUERY.sub(lambda part: f"{part[1]}={MASK}" if _is_secret(part[1], part[2]) else part[0], text)
