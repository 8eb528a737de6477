"""How long from `healing-eval up` on an empty folder to the first verdict? Goal: < 2 s.

usage: python -m bench.first_verdict [RUNS]
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

CONVERSATION = {
    "conversation_id": "first",
    "agent_version": "v1",
    "turns": [
        {"turn_id": 1, "role": "user", "content": "When does my train leave?"},
        {"turn_id": 2, "role": "assistant", "content": "Your train leaves at 10:15."},
    ],
}


def call(url: str, body: object = None) -> dict[str, object] | None:
    """Answer decoded, or None while there is none."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=5) as answer:
            return json.loads(answer.read())
    except (HTTPError, URLError):
        return None


def one_run() -> tuple[float, float]:
    """Seconds from process start to listening, and to the first final verdict."""
    command = [str(Path(sys.executable).parent / "healing-eval"), "up", "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen([*command, "--data", folder], stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            found = next(filter(None, (re.search(r"listens on (http://\S+)", line) for line in process.stderr)))
            listening = time.perf_counter() - started
            address = f"{found.group(1)}/api/v1"
            call(f"{address}/conversations", {"conversations": [CONVERSATION]})
            while not _is_final(call(f"{address}/evaluations/first")):
                time.sleep(0.005)
            return listening, time.perf_counter() - started
        finally:
            process.terminate()
            process.wait()


def _is_final(answer: dict[str, object] | None) -> bool:
    verdict = (answer or {}).get("verdict")
    return isinstance(verdict, dict) and bool(verdict["final"])


def main() -> None:
    runs = [one_run() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)]
    for name, place in (("listening", 0), ("first verdict", 1)):
        values = sorted(run[place] for run in runs)
        print(f"{name:14} median {statistics.median(values):.2f} s   min {values[0]:.2f}   max {values[-1]:.2f}")


if __name__ == "__main__":
    main()
