"""How is a real vLLM started, on processors alone, with a model that needs no weights?

vLLM is no part of our environment, since it weighs gigabytes: it runs on a Python of its own, which the variable
`HEALING_EVAL_VLLM` names. Nothing is downloaded, and nothing it writes stays.
"""

from __future__ import annotations

import os
import signal
from http.client import HTTPConnection
from pathlib import Path

from healing_eval.testing.servers.process import (
    GRACE_SECONDS,
    MissingServer,
    Process,
    free_port,
    wait_until_ready,
    work_folder,
)
from healing_eval.testing.servers.tiny_model import CONTEXT_TOKENS, make_tiny_model

SETTING = "HEALING_EVAL_VLLM"
START_SECONDS = 300.0
"""It takes 30 s on two idle cores."""
ASK_SECONDS = 2.0
KEY = "sk-of-a-tiny-model"
LAST_LINES = 2_000


class VllmServer(Process):
    """One vLLM on loopback that serves the model `tiny` to whoever has the key."""

    model = "tiny"
    context_tokens = CONTEXT_TOKENS
    key = KEY

    def __init__(self) -> None:
        """Make one, not started yet.

        Raises:
            MissingServer: no Python with vLLM is named, or there is none where it is said to be.
        """
        python = os.environ.get(SETTING)
        if not python or not Path(python).is_file():
            raise MissingServer(f"{SETTING} names no Python that has vLLM; CONTRIBUTING.md says how to make one")
        self.port = free_port()
        folder = work_folder("vllm")
        program = [Path(python).absolute(), "-m", "vllm.entrypoints.openai.api_server"]
        command = ["env", *_environment(folder), *program, *_arguments(folder), "--port", str(self.port)]
        super().__init__(command, folder, orphan_signal=signal.SIGTERM)

    @property
    def base_url(self) -> str:
        """What to set as OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it ended instead, with the end of what it printed.
        """
        super().start()
        wait_until_ready(lambda: not self.runs or self._is_healthy(), f"vLLM on port {self.port}", START_SECONDS)
        if not self.runs:
            raise RuntimeError(f"vLLM ended at its start: {self.log()[-LAST_LINES:]}")

    def kill(self) -> None:
        """End it as a crash does, and with it its engine and workers, which else would go on without it."""
        os.killpg(self.pid, signal.SIGKILL)
        self._wait(GRACE_SECONDS)

    def _is_healthy(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=ASK_SECONDS)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        finally:
            connection.close()


def _environment(folder: Path) -> list[str]:
    """Have it stay on this machine, in its folder, and on one core."""
    homes = ("HF_HOME", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")
    return [
        "HF_HUB_OFFLINE=1",
        "VLLM_NO_USAGE_STATS=1",
        "VLLM_CPU_KVCACHE_SPACE=1",
        "VLLM_CPU_OMP_THREADS_BIND=nobind",
        "OMP_NUM_THREADS=1",
        "TORCHDYNAMO_DISABLE=1",  # else the first schema waits for a compiler
        *(f"{home}={folder / 'home'}" for home in homes),
    ]


def _arguments(folder: Path) -> list[str]:
    return [
        *("--model", str(make_tiny_model(folder / "model")), "--served-model-name", VllmServer.model),
        *("--load-format", "dummy", "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", "8"),
        *("--host", "127.0.0.1", "--api-key", KEY),
        # After what the schema forbids was taken out, so that a model of random weights is of some mind, too.
        *("--logprobs-mode", "processed_logprobs"),
        # Else such a model writes spaces between the parts of JSON until it must stop.
        *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
    ]
