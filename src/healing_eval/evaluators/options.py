"""How are an evaluator's options read?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from healing_eval.errors import ConfigError

T = TypeVar("T", bound=msgspec.Struct)

_PLACE = re.compile(r"at `\$\.(\w+)`")


def convert_options(evaluator: str, table: Mapping[str, Any], kind: type[T]) -> T:
    """Read the table `[evaluators.NAME]` of the settings; values from the environment may be strings.

    Raises:
        ConfigError: an option is unknown or has the wrong type; the message names it and the known ones.
    """
    refuse_unknown(f"evaluators.{evaluator}", table, kind)
    try:
        return msgspec.convert(dict(table), kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"evaluators.{evaluator}: {error}{_choices(str(error), kind)}") from error


def _choices(refusal: str, kind: type[msgspec.Struct]) -> str:
    """Name what may be chosen from, where one of these was expected."""
    place = _PLACE.search(refusal)
    expected = get_args(get_type_hints(kind).get(place.group(1))) if place else ()
    is_choice = bool(expected) and all(isinstance(one, str) for one in expected)
    return f"; expected one of {', '.join(expected)}" if is_choice else ""


def refuse_unknown(where: str, table: Mapping[str, Any], kind: type[msgspec.Struct]) -> None:
    """Refuse names that are no fields of `kind`.

    Raises:
        ConfigError: with the first of them, and the known ones.
    """
    known = kind.__struct_fields__
    for name in table:
        if name not in known:
            raise ConfigError(f"{where} has no option {name!r}; known: {', '.join(known)}")


def version_of(code_version: str, options: msgspec.Struct) -> str:
    """Hash what decides how an evaluator without a model judges: 12 hexadecimal characters."""
    return blake2b(msgspec.json.encode((code_version, options), order="sorted"), digest_size=6).hexdigest()
