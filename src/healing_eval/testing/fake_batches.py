"""How do OpenAI and Anthropic take batches? The part of `FakeModel` that does, as strict as the real ones.

A batch is answered when somebody looks at it, unless it is held. What becomes of it:

ok        every question is answered as by itself, as the model's mode says
failed    OpenAI finds it invalid as a whole, Anthropic ends it with errors only
too_much  OpenAI has too much of ours waiting (Anthropic: 429 when it is handed in)
expired   time is up before the first was answered
partial   time is up when every other one was answered
lost      it ends and nothing is said of any question
gone      it ends, and the answers are not to be found
hostile   the answers come with garbage, names nobody gave, answers said twice, and 5 MB on one line
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, cast

import msgspec

from healing_eval.testing import fake_anthropic

CHAT = "/v1/chat/completions"
ANTHROPIC = f"{fake_anthropic.PATH}/batches"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
HUGE_LINE = 5 * 1024 * 1024
MOST = 50_000

Reply = tuple[int, Any]
Answer = Callable[[str, dict[str, str], dict[str, Any]], Reply]
Questions = dict[str, dict[str, Any]]
"""By name, what each asks."""


class Job(msgspec.Struct):
    """One batch that was handed in."""

    job_id: str
    path: str
    """Where each of its questions would be asked by itself."""
    questions: Questions
    fate: str
    headers: dict[str, str] = {}
    label: str | None = None
    input_file: str | None = None
    fault: dict[str, Any] | None = None
    """Why all of it is refused."""
    status: str = "working"
    """Or cancelling, ended, cancelled."""
    looked_at: int = 0
    created_at: str = ""
    results: dict[str, Reply | None] = {}
    """What came of each; None: cancelled, or time was up."""


class FakeBatches:
    """What was handed in. Its attributes may be changed at any time.

    Attributes:
        fate: what becomes of batches handed in from now on.
        held: whether they are not worked on for now; a held one that is cancelled stops at once.
        deaf: take what is handed in, and break off the connection before the answer.
        status: a status with which everything is refused, 0 for none.
        refuses_batches: whether OpenAI takes files, and then refuses the batches of them.
        stubborn: a batch that is cancelled goes on all the same.
        keeps_labels: whether OpenAI finds a batch by its label.
        slow_seconds: how long it takes to take one.
        clock: tells when one is taken, with its zone.
        coming: how many are being handed in now.
        jobs: the batches that are known, by id.
        seen: all that were handed in, in their order.
        files: OpenAI's files, by id.
        cancels: how often one was cancelled.
        looks: how often it was asked how far one is.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.fate = "ok"
        self.held = False
        self.deaf = False
        self.status = 0
        self.refuses_batches = False
        self.stubborn = False
        self.keeps_labels = True
        self.slow_seconds = 0.0
        self.clock = lambda: datetime.now(UTC)
        self.coming = 0
        self.jobs: dict[str, Job] = {}
        self.seen: list[Job] = []
        self.files: dict[str, bytes] = {}
        self.cancels = 0
        self.looks = 0
        self._made = 0

    @staticmethod
    def is_about(path: str) -> bool:
        """Tell whether a path is one of batches or their files."""
        return path.startswith(("/v1/files", "/v1/batches", ANTHROPIC))

    async def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply | None:
        """Answer a request; None: the connection breaks."""
        if self.slow_seconds and method == "POST":
            self.coming += 1
            await asyncio.sleep(self.slow_seconds)
            self.coming -= 1
        bare, _, query = path.partition("?")
        if self.status:
            return self.status, {"error": {"message": f"fault {self.status}", "type": "server"}}
        if bare.startswith(ANTHROPIC):
            rest = bare.removeprefix(ANTHROPIC).strip("/").split("/")
            return self._anthropic(method, rest, query, headers, body)
        if not headers.get("authorization", "").startswith("bearer "):
            return 401, {"error": {"message": "You didn't provide an API key."}}
        first, *rest = bare.removeprefix("/v1/").split("/")
        if first == "files":
            return self._files(method, rest, headers, body)
        return self._openai(method, rest, query, body)

    def _anthropic(
        self, method: str, rest: list[str], query: str, headers: dict[str, str], body: bytes
    ) -> Reply | None:
        if not headers.get("x-api-key") or not headers.get("anthropic-version"):
            return fake_anthropic.refused(401, "x-api-key header is required")
        if method == "POST" and rest == [""]:
            return self._take_anthropic(headers, json.loads(body))
        if rest == [""]:
            return self._page_of_anthropic(_fields(query))
        job = self.jobs.get(rest[0])
        if job is None:
            return fake_anthropic.refused(404, "no such batch")
        if method == "DELETE":
            del self.jobs[job.job_id]
            return 200, {"id": job.job_id, "type": "message_batch_deleted"}
        if rest[1:] == ["cancel"]:
            self._cancel(job)
        elif rest[1:] == ["results"]:
            return self._results_of(job)
        else:
            self._look_at(job)
        return 200, _shown_by_anthropic(job)

    def _take_anthropic(self, headers: dict[str, str], document: dict[str, Any]) -> Reply | None:
        questions: Questions = {}
        for one in document.get("requests", []):
            name = one.get("custom_id", "")
            if not _NAME.fullmatch(name) or name in questions or not isinstance(one.get("params"), dict):
                return fake_anthropic.refused(400, f"requests: custom_id {name!r} is not unique or not allowed")
            questions[name] = one["params"]
        if not questions:
            return fake_anthropic.refused(400, "requests: at least one request is required")
        if self.fate == "too_much":
            return fake_anthropic.refused(429, "too many requests are in batches")
        job = self._take(Job(self._id("msgbatch_"), fake_anthropic.PATH, questions, self.fate, headers))
        return None if self.deaf else (200, _shown_by_anthropic(job))

    def _results_of(self, job: Job) -> Reply:
        if job.status not in ("ended", "cancelled") or job.fate == "gone":
            return fake_anthropic.refused(404, "the results are not there yet")
        said = {name: _told_by_anthropic(job, reply) for name, reply in job.results.items()}
        lines = [{"custom_id": name, "result": result} for name, result in said.items()]
        return 200, _written(lines, job.fate)

    def _files(self, method: str, rest: list[str], headers: dict[str, str], body: bytes) -> Reply:
        if method == "POST" and not rest:
            fields = _form(headers, body)
            if fields.get("purpose") != b"batch" or "file" not in fields:
                return 400, {"error": {"message": "expected a form with purpose 'batch' and a file"}}
            return 200, {"id": self._file(fields["file"]), "object": "file"}
        content = self.files.get(rest[0]) if rest else None
        if content is None:
            return 404, {"error": {"message": f"No such File object: {rest}"}}
        if method == "DELETE":
            del self.files[rest[0]]
            return 200, {"id": rest[0], "deleted": True}
        return 200, content

    def _openai(self, method: str, rest: list[str], query: str, body: bytes) -> Reply | None:
        if not rest and method == "POST":
            return self._take_openai(json.loads(body))
        if not rest:
            return self._page(_fields(query))
        job = self.jobs.get(rest[0])
        if job is None:
            return 404, {"error": {"message": f"No such Batch object: {rest[0]}"}}
        if rest[1:] == ["cancel"]:
            self._cancel(job)
        else:
            self._look_at(job)
        return 200, self._shown_by_openai(job)

    def _take_openai(self, document: dict[str, Any]) -> Reply | None:
        if self.refuses_batches:
            return 400, {"error": {"message": "no more batches today"}}
        if document.get("completion_window") != "24h" or document.get("endpoint") != CHAT:
            return 400, {"error": {"message": "completion_window must be '24h' and endpoint one that is known"}}
        file_id = document.get("input_file_id", "")
        if file_id not in self.files:
            return 400, {"error": {"message": f"Invalid input file {file_id!r}"}}
        questions, fault = _read_lines(self.files[file_id])
        if self.fate == "too_much":
            fault = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
        if self.fate == "failed":
            fault = {"code": "invalid_request", "message": "this batch is not to our liking"}
        metadata = cast("dict[str, str]", document.get("metadata") or {})
        label = metadata.get("healing_eval_batch")
        job = Job(self._id("batch_"), CHAT, questions, self.fate, label=label, input_file=file_id, fault=fault)
        self._take(job)
        return None if self.deaf else (200, self._shown_by_openai(job))

    def _page(self, query: Mapping[str, str]) -> Reply:
        listed = [job for job in reversed(self.jobs.values()) if job.path == CHAT and self.keeps_labels]
        page, more = _page(listed, query, "after")
        return 200, {"object": "list", "data": [self._shown_by_openai(job) for job in page], "has_more": more}

    def _page_of_anthropic(self, query: Mapping[str, str]) -> Reply:
        """Show some, the newest first. Who looks at the list looks at each: there is no other way to hear of one."""
        page, more = _page([job for job in reversed(self.jobs.values()) if job.path != CHAT], query, "after_id")
        for job in page:
            self._look_at(job)
        ids = {"first_id": page[0].job_id, "last_id": page[-1].job_id} if page else {"first_id": None, "last_id": None}
        return 200, {"data": [_shown_by_anthropic(job) for job in page], "has_more": more} | ids

    def _shown_by_openai(self, job: Job) -> dict[str, Any]:
        status = {"working": "in_progress", "ended": "completed"}.get(job.status, job.status)
        if job.fault is not None:
            status = "failed"
        elif job.status == "ended" and job.fate in ("expired", "partial"):
            status = "expired"
        shown: dict[str, Any] = {"id": job.job_id, "object": "batch", "endpoint": CHAT, "status": status}
        shown |= {"input_file_id": job.input_file, "metadata": job.label and {"healing_eval_batch": job.label}}
        shown |= {"errors": job.fault and {"object": "list", "data": [job.fault]}}
        if job.fault is None and job.status in ("ended", "cancelled"):
            shown |= {"output_file_id": f"file-{job.job_id}-out", "error_file_id": f"file-{job.job_id}-err"}
        return shown

    def _take(self, job: Job) -> Job:
        job.created_at = self.clock().isoformat()
        self.jobs[job.job_id] = job
        self.seen.append(job)
        return job

    def _look_at(self, job: Job) -> None:
        self.looks += 1
        job.looked_at += 1
        if job.status == "cancelling":
            self._end(job, "cancelled")
        elif job.status == "working" and not self.held and job.fault is None:
            self._end(job, "ended")

    def _cancel(self, job: Job) -> None:
        self.cancels += 1
        if job.status == "working" and not self.stubborn:
            job.status = "cancelling"

    def _end(self, job: Job, status: str) -> None:
        job.status = status
        job.results = {}
        for number, (name, payload) in enumerate(job.questions.items()):
            over = status == "cancelled" and self.held
            if over or job.fate == "expired" or (job.fate == "partial" and number % 2):
                job.results[name] = None
            elif job.fate == "failed":
                job.results[name] = 500, {"error": {"message": "it broke"}}
            elif job.fate != "lost":
                job.results[name] = self._answer(job.path, job.headers, payload)
        if job.path == CHAT and job.fate != "gone":
            good = [name for name, reply in job.results.items() if reply is not None and reply[0] == 200]
            out = [_told_by_openai(name, job.results[name]) for name in good]
            bad = [_told_by_openai(name, reply) for name, reply in job.results.items() if name not in good]
            self.files |= {f"file-{job.job_id}-out": _written(out, job.fate)}
            self.files |= {f"file-{job.job_id}-err": _written(bad, "ok")}

    def _id(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._made:06d}"

    def _file(self, content: bytes) -> str:
        file_id = self._id("file-")
        self.files[file_id] = content
        return file_id


def _fields(query: str) -> dict[str, str]:
    return dict(part.split("=") for part in query.split("&") if part)


def _page(listed: list[Job], query: Mapping[str, str], cursor: str) -> tuple[list[Job], bool]:
    """Give the jobs of a page, and whether there are more behind them."""
    names = [job.job_id for job in listed]
    start = names.index(query[cursor]) + 1 if cursor in query else 0
    page = listed[start : start + int(query.get("limit", "20"))]
    return page, start + len(page) < len(listed)


def _shown_by_anthropic(job: Job) -> dict[str, Any]:
    status = {"working": "in_progress", "cancelling": "canceling"}.get(job.status, "ended")
    # The real one names an address of its own; this one leads astray whoever follows it with a key.
    address = "http://127.0.0.1:1/results" if status == "ended" else None
    shown = {"id": job.job_id, "type": "message_batch", "processing_status": status, "created_at": job.created_at}
    return shown | {"results_url": address, "request_counts": _counted_by_anthropic(job)}


def _counted_by_anthropic(job: Job) -> dict[str, int]:
    """Tell how many questions came to what; all are being processed until the batch has ended."""
    kinds = [_told_by_anthropic(job, reply)["type"] for reply in job.results.values()]
    counts = {kind: kinds.count(kind) for kind in ("succeeded", "errored", "canceled", "expired")}
    return counts | {"processing": len(job.questions) - len(kinds)}


def _told_by_openai(name: str, reply: Reply | None) -> dict[str, Any]:
    line: dict[str, Any] = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
    if reply is None:
        return line | {"error": {"code": "batch_expired", "message": "This request could not be executed in time."}}
    return line | {"response": {"status_code": reply[0], "request_id": "r", "body": reply[1]}}


def _told_by_anthropic(job: Job, reply: Reply | None) -> dict[str, Any]:
    if reply is None:
        return {"type": "canceled" if job.status == "cancelled" else "expired"}
    if reply[0] != 200:
        kind = fake_anthropic.ERRORS.get(reply[0], "api_error")
        said = reply[1].get("error", {}).get("message", "")
        return {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": said}}}
    return {"type": "succeeded", "message": reply[1]}


def _written(lines: list[dict[str, Any]], fate: str) -> bytes:
    written = [json.dumps(line).encode() for line in lines]
    if fate == "hostile":
        others = [json.dumps(line | {"custom_id": f"nobody-{number}"}).encode() for number, line in enumerate(lines)]
        garbage = [b"", b"\xff\xfe", b"{", b"[1]", b'{"custom_id": 7}', b'{"custom_id": "x"}', b"null"]
        written = [*garbage, b"[" + b" " * HUGE_LINE, *others, *written, *written]
    return b"\n".join(written)


def _read_lines(content: bytes) -> tuple[Questions, dict[str, Any] | None]:
    """Read a file of requests; the fault is that of the first bad line."""
    questions: Questions = {}
    models: set[str] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            one = json.loads(line)
        except ValueError:
            return questions, {"code": "invalid_json_line", "message": "This line is not parseable.", "line": number}
        name, body = one.get("custom_id"), one.get("body")
        if not isinstance(name, str) or not isinstance(body, dict) or one.get("method") != "POST":
            return questions, {"code": "missing_required_parameter", "message": "a line lacks something"}
        if name in questions:
            return questions, {"code": "duplicate_custom_id", "message": "custom_id must be unique", "line": number}
        if one.get("url") != CHAT:
            return questions, {"code": "mismatched_endpoint", "message": "the URL is not the batch's endpoint"}
        payload = cast("dict[str, Any]", body)
        questions[name] = payload
        models.add(payload.get("model", ""))
    if not questions or len(questions) > MOST:
        return questions, {"code": "empty_file", "message": "the file has no requests, or too many"}
    return questions, {"code": "model_mismatch", "message": "one model only"} if len(models) > 1 else None


def _form(headers: Mapping[str, str], body: bytes) -> dict[str, bytes]:
    """Read the fields of a form; {} if it is none."""
    kind = headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return {}
    parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = [part for part in parsed.walk() if not part.is_multipart()]
    return {
        str(part.get_param("name", header="content-disposition")): cast("bytes", part.get_payload(decode=True))
        for part in parts
    }
