"""Print every figure we claim. Takes some minutes; on a busy machine run the parts by themselves.

usage: python -m bench        with HEALING_EVAL_REALDATA_DIR set, the figures on real data as well
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

PARTS = {
    "start to first verdict": ["bench.first_verdict"],
    "speed of evaluate": ["bench.evaluate_speed"],
    "speed of the checks": ["bench.tool_call_speed"],
    "memory of evaluate": ["bench.evaluate_memory"],
    "stream on Redis": ["bench.stream"],
    "limits of models across processes": ["bench.limiter"],
    "a call to a model": ["bench.model_client"],
    "embedded store": ["bench.store", tempfile.gettempdir(), "5000"],
    "the production path": ["bench.production"],
    "store on PostgreSQL": ["bench.store", "--postgresql"],
    "ways to keep bodies in PostgreSQL": ["bench.bodies"],
}
ON_REAL_DATA = {
    "accuracy on real conversations": ["bench.realdata"],
    "several judges against one": ["bench.judges"],
    "suspected injections": ["bench.redteam"],
}


def main() -> None:
    parts = PARTS | (ON_REAL_DATA if os.environ.get("HEALING_EVAL_REALDATA_DIR") else {})
    for title, command in parts.items():
        print(f"\n## {title}\n$ python -m {' '.join(command)}", flush=True)
        subprocess.run([sys.executable, "-m", *command], check=True)


if __name__ == "__main__":
    main()
