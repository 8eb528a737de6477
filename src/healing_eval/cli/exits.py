"""What does an exit code say?"""

from __future__ import annotations

JUDGEMENT = 1
"""All went well and the answer is no: a threshold not met, a check that fails."""
WRONG_INPUT = 2
"""Wrong usage, settings or input."""
NOT_ENOUGH_DATA = 3
INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended."""
