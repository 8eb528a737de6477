"""Which text does every store keep as it is?"""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Replace what no database keeps as text, NUL and lone surrogates, with U+FFFD."""
    if "\x00" not in text and (text.isascii() or _is_encodable(text)):  # nearly all, and known at once
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
