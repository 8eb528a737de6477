"""Does `healing-eval evaluate` do its job from the files to the exit code?"""

from __future__ import annotations

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from healing_eval.cli.main import main
from healing_eval.testing.builders import a_conversation, a_turn, wire_item

COMMAND = str(Path(sys.executable).parent / "healing-eval")
FINE = wire_item(a_conversation("fine", 4))
FAILING = wire_item(a_conversation("failing", 12, tool_errors=6))
REALDATA = os.environ.get("HEALING_EVAL_REALDATA_DIR")


@pytest.fixture(autouse=True)
def _clean_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HEALING_EVAL_")]:
        monkeypatch.delenv(name)


def evaluate(*arguments: str, stdin: bytes | None = None, only: str = "heuristic") -> Result:
    return CliRunner().invoke(main, ["evaluate", *arguments, *(("--evaluator", only) if only else ())], input=stdin)


def write(name: str, *items: Any) -> str:
    Path(name).write_text("".join(json.dumps(item) + "\n" for item in items))
    return name


def json_lines(result: Result) -> dict[str, Any]:
    return {line["conversation_id"]: line for line in map(json.loads, result.stdout.splitlines())}


def test_a_report_names_what_went_wrong_and_where() -> None:
    result = evaluate(write("log.jsonl", FINE, FAILING))

    assert result.exit_code == 0
    assert "2 conversations evaluated" in result.stdout
    assert "failing" in result.stdout
    assert "tool_failure" in result.stdout
    assert result.stderr == ""


def test_machines_get_one_line_per_conversation_and_nothing_else() -> None:
    result = evaluate(write("log.jsonl", FINE, FAILING), "--format", "json")

    lines = json_lines(result)
    assert result.exit_code == 0
    assert list(lines) == ["fine", "failing"]
    assert lines["fine"]["verdict"]["outcome"] == "pass"
    assert lines["failing"]["verdict"]["overall"] < lines["fine"]["verdict"]["overall"]
    assert lines["failing"]["evaluations"][0]["result"]["issues"]
    assert "2 conversations evaluated" in result.stderr


def test_two_runs_say_the_same() -> None:
    log = write("log.jsonl", FINE, FAILING)

    assert evaluate(log, "--format", "json").stdout == evaluate(log, "--format", "json").stdout


def test_all_evaluators_together_say_what_was_not_measured_and_how_to_change_it() -> None:
    result = evaluate(write("log.jsonl", FINE, FAILING), only="")

    assert result.exit_code == 0
    assert "judge" in result.stdout
    assert "no model configured" in result.stdout
    assert "HEALING_EVAL_JUDGE__MODEL" in result.stdout


def test_a_bad_line_is_named_and_the_rest_is_evaluated() -> None:
    bad = FINE | {"conversation_id": "bad", "turns": []}
    log = write("log.jsonl", FINE, bad, FAILING)

    result = evaluate(log, "--format", "json")

    assert result.exit_code == 2
    assert list(json_lines(result)) == ["fine", "failing"]
    assert "error: log.jsonl, line 2, /turns: " in result.stderr


def test_of_many_bad_lines_the_first_are_named_and_the_rest_counted() -> None:
    result = evaluate(write("log.jsonl", *[{"turns": []}] * 50))

    assert result.exit_code == 2
    assert result.stderr.count("error: log.jsonl, line") == 20
    assert "30 more items could not be read" in result.stderr


def test_a_mean_below_the_threshold_is_a_judgement_that_says_why() -> None:
    log = write("log.jsonl", FAILING)

    assert evaluate(log, "--fail-under", "0.1").exit_code == 0

    result = evaluate(log, "--fail-under", "0.99")
    assert result.exit_code == 1
    assert "below the threshold: mean overall" in result.stderr


def test_a_threshold_out_of_range_is_wrong_usage() -> None:
    assert evaluate(write("log.jsonl", FINE), "--fail-under", "70").exit_code == 2


@pytest.mark.parametrize("content", ["", json.dumps(FINE | {"turns": FINE["turns"][:1]})])
def test_nothing_measured_is_not_enough_data(content: str) -> None:
    Path("log.jsonl").write_text(content)

    result = evaluate("log.jsonl", "--fail-under", "0.5")

    assert result.exit_code == 3
    assert "not enough data" in result.stderr


def test_repeated_and_changed_conversations_are_told_apart() -> None:
    changed = FINE | {"turns": FAILING["turns"]}

    result = evaluate(write("log.jsonl", FINE, FINE, changed), "--format", "json")

    revisions = [json.loads(line).get("revision", 1) for line in result.stdout.splitlines()]
    assert revisions == [1, 2]
    assert "1 repeated unchanged" in result.stderr
    assert "1 came again with other content" in result.stderr


def test_standard_input_may_be_packed() -> None:
    packed = gzip.compress(json.dumps({"conversations": [FINE, FAILING]}).encode())

    assert list(json_lines(evaluate("-", "--format", "json", stdin=packed))) == ["fine", "failing"]


def test_several_files_are_one_run() -> None:
    result = evaluate(write("a.jsonl", FINE), write("b.jsonl", FAILING), "--format", "json")

    assert list(json_lines(result)) == ["fine", "failing"]


def test_an_unknown_evaluator_is_named_with_those_there_are() -> None:
    result = evaluate(write("log.jsonl", FINE), only="nobody")

    assert result.exit_code == 2
    assert "nobody" in result.stderr
    assert "heuristic" in result.stderr


def test_a_missing_file_is_wrong_usage() -> None:
    assert evaluate("nowhere.jsonl").exit_code == 2


def test_terminal_escapes_in_a_conversation_reach_no_terminal() -> None:
    hostile = "\x1b[2J\x9b2J[bold]evil[/bold]\x07"
    turns = [a_turn(hostile, "user", hostile), a_turn("2", "assistant", ""), a_turn("3", "user", hostile)]
    log = write("log.jsonl", wire_item(a_conversation(hostile, turns, agent_version=hostile)))

    for style in ("table", "json"):
        result = evaluate(log, "--format", style)
        assert result.exit_code == 0
        assert not {"\x1b", "\x9b", "\x07"} & set(result.stdout)


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    log = write("log.jsonl", *[FAILING | {"conversation_id": f"c{n}"} for n in range(3000)])
    command = [COMMAND, "evaluate", log, "--format", "json", "--evaluator", "heuristic"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()

    assert told == b""
    assert process.returncode == 141


def not_ignoring_interrupts() -> None:
    """Undo what a shell does to the processes it runs in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupt_while_waiting_for_input_reports_what_was_done() -> None:
    command = [COMMAND, "evaluate", "-", "--format", "json", "--evaluator", "heuristic"]
    log = b"".join(json.dumps(FINE | {"conversation_id": f"c{n}"}).encode() + b"\n" for n in range(70))

    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=not_ignoring_interrupts,  # noqa: PLW1509 - no other thread runs here
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(log)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        told = process.stderr.read().decode()

    assert process.returncode == 130
    assert "64 conversations evaluated" in told
    assert "Traceback" not in told


def test_a_terminal_shows_a_bar_on_standard_error_only() -> None:
    log = write("log.jsonl", *[FAILING | {"conversation_id": f"c{n}"} for n in range(500)])
    ours, theirs = pty.openpty()

    done = subprocess.run(
        [COMMAND, "evaluate", log, "--evaluator", "heuristic"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode(errors="replace")
    os.close(ours)

    assert "evaluating" in shown
    assert "\x1b" not in done.stdout.decode()


@pytest.mark.realdata
@pytest.mark.skipif(REALDATA is None, reason="HEALING_EVAL_REALDATA_DIR is not set")
@pytest.mark.parametrize("name", ["tau_bench", "sgd", "tau2_bench"])
def test_real_files_are_read_without_a_single_refusal(name: str) -> None:
    result = evaluate(str(Path(REALDATA or "") / f"{name}.jsonl.gz"), "--format", "json")

    assert result.exit_code == 0
    assert result.stdout


def test_a_missing_file_costs_only_itself() -> None:
    result = evaluate(write("good.jsonl", FINE), "missing.jsonl", ".", "--format", "json")

    assert result.exit_code == 2
    assert list(json_lines(result)) == ["fine"]
    assert "error: missing.jsonl: No such file or directory" in result.stderr
    assert "error: .: is a directory; expected a file" in result.stderr


def test_an_empty_file_among_others_is_mentioned_and_no_error() -> None:
    Path("empty.jsonl").touch()

    result = evaluate(write("good.jsonl", FINE), "empty.jsonl")

    assert result.exit_code == 0
    assert result.stderr == "note: empty.jsonl holds no conversation\n"


@pytest.mark.parametrize("threshold", ["nan", "NaN", "-nan"])
def test_a_threshold_that_is_no_number_is_wrong_usage(threshold: str) -> None:
    result = evaluate(write("log.jsonl", FINE), "--fail-under", threshold)

    assert result.exit_code == 2
    assert f"{threshold} is no number from 0 to 1" in result.stderr


WAYS_TO_SPEAK = [
    ("evaluate", "log.jsonl"),
    ("evaluate", "log.jsonl", "--format", "json"),
    ("settings",),
    ("settings", "--format", "json"),
    ("doctor",),
    ("--help",),
    ("serve", "--help"),
    ("keys", "create", "--help"),
]


@pytest.mark.parametrize("arguments", WAYS_TO_SPEAK, ids=" ".join)
def test_output_that_nobody_reads_ends_every_verb_alike(arguments: tuple[str, ...]) -> None:
    write("log.jsonl", FINE, FAILING)
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run([COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)

    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("arguments", WAYS_TO_SPEAK, ids=" ".join)
def test_output_that_cannot_be_written_is_an_error_that_says_so(arguments: tuple[str, ...]) -> None:
    write("log.jsonl", FINE, FAILING)

    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 2
    assert done.stderr == b"error: cannot write the output: No space left on device\n"
