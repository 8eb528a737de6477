"""What if messages come twice, are rubbish, or kill whoever takes them?"""

from __future__ import annotations

FAULTS = ()
