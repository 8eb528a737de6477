"""What stands in a list or table that was written as text?"""

from __future__ import annotations

import re
from itertools import islice

_PART = re.compile(r""""([^"]*)"(\s*:)?|'([^']*)'(\s*:)?|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])""")
_MOST_PARTS = 100


def written_items(text: str) -> list[str]:
    """List the texts and the numbers from ten of a JSON or Python list or table, without the names of its fields."""
    parts = islice(_PART.finditer(text), _MOST_PARTS)
    values = (part[1] or part[3] or part[5] or "" for part in parts if not part[2] and not part[4])
    return [value for value in values if len(value.strip()) > 1]
