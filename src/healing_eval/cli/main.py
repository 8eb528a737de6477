"""What can be done from the terminal? One file per verb, imported only when the verb is called."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from typing import IO, Any, NamedTuple

import click

from healing_eval import __version__
from healing_eval.cli.exits import BROKEN_PIPE, INTERRUPTED, WRONG_INPUT
from healing_eval.cli.output import CannotWrite, echo, forget_stdout, writing
from healing_eval.cli.text import plain
from healing_eval.errors import HealingEvalError


class Verb(NamedTuple):
    """Where a verb's command is, and its line in the list of verbs."""

    target: str
    summary: str


VERBS = {
    "evaluate": Verb("healing_eval.cli.evaluate:evaluate", "Evaluate conversations from files, without a server."),
    "demo": Verb("healing_eval.cli.demo:demo", "Show everything at work on sample conversations."),
    "up": Verb("healing_eval.cli.up:up", "Run API and workers in one process, with nothing else installed."),
    "redteam": Verb("healing_eval.cli.redteam:redteam", "Attack the judge, and name every attack that is obeyed."),
    "dead": Verb("healing_eval.cli.dead:dead", "Show messages that were set aside, send them back, or drop them."),
    "batches": Verb("healing_eval.cli.batches:batches", "Show what providers answer in batches, or stop it."),
    "serve": Verb("healing_eval.cli.serve:serve", "Serve the API, beside workers, on PostgreSQL and Redis."),
    "work": Verb("healing_eval.cli.work:work", "Evaluate what is served elsewhere, in any number of processes."),
    "retain": Verb("healing_eval.cli.retain:retain", "Archive and drop the months that are older than is kept."),
    "delete": Verb("healing_eval.cli.delete:delete", "Delete a conversation, or a project, for good."),
    "migrate": Verb("healing_eval.cli.migrate:migrate", "Bring the store's schema up to date, or check that it is."),
    "backfill": Verb("healing_eval.cli.backfill:backfill", "Have evaluated what a budget or a failure left out."),
    "keys": Verb("healing_eval.cli.keys:keys", "Create, list and revoke API keys."),
    "advise": Verb("healing_eval.cli.advise.group:advise", "Say what another choice would cost or save."),
    "settings": Verb("healing_eval.cli.settings:settings", "Show every setting, its value and where it came from."),
    "plugins": Verb("healing_eval.cli.plugins:plugins", "Show every plug-in, where it came from and what it needs."),
    "doctor": Verb("healing_eval.cli.doctor:doctor", "Check that this machine and these settings can work."),
}


class _Refusal(click.ClickException):
    """An error of ours, shown on one line."""

    exit_code = WRONG_INPUT

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {plain(self.message, 1000)}", file=file, err=file is None)


class Door(click.Group):
    """The verbs, imported one at a time; errors of ours become one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module, _, attribute = verb.target.partition(":")
        command = getattr(import_module(module), attribute)
        _print_help_as_output(command, ctx)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            near = get_close_matches(name, VERBS, n=1)
            ctx.fail(f"no verb {plain(name, 60)!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _faults_told(), writing():  # of the arguments of the group, only --help and --version do anything
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _faults_told():
            return super().invoke(ctx)


def _print_help_as_output(command: click.Command, parent: click.Context) -> None:
    """Let a verb, and the verbs in it, print their help as they print all else: click's own way knows no full disk."""
    ctx = click.Context(command, parent=parent)
    option = command.get_help_option(ctx)
    if option is not None:
        option.callback = _show_help
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _print_help_as_output(inner, ctx)


def _show_help(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        echo(ctx.get_help())
        ctx.exit()


@contextmanager
def _faults_told() -> Generator[None]:
    """Turn what somebody else has to mend into one line, and how it ended into an exit code."""
    try:
        yield
    except HealingEvalError as error:
        raise _Refusal(str(error)) from error
    except CannotWrite as error:
        forget_stdout()
        raise _Refusal(f"cannot write the output: {error}") from error
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        forget_stdout()
        raise click.exceptions.Exit(BROKEN_PIPE) from None


@click.group(
    cls=Door,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 a judgement such as a threshold not met, 2 wrong usage or input, 3 not enough data.",
)
@click.version_option(__version__, prog_name="healing-eval")
def main() -> None:
    """Evaluate the conversations of AI agents, and see which went wrong, where and why."""


if __name__ == "__main__":  # a command that runs several processes of itself starts them so
    main()
