"""How does everything of one conversation, or of one project, go for good?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from healing_eval.cli.output import echo
from healing_eval.cli.store_verbs import data_option, format_option, settings_for, with_ledger, with_ledger_and_catalog
from healing_eval.cli.text import count_of, plain
from healing_eval.errors import NotFound
from healing_eval.pipeline.access import DEFAULT_PROJECT
from healing_eval.pipeline.delete import delete_conversations, delete_project, is_known, revoke_keys
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.ledger import Ledger


class Deleted(msgspec.Struct, frozen=True):
    """What went."""

    conversations: int
    revoked_keys: int = 0


@click.group()
def delete() -> None:
    """Delete a conversation, or a project, with everything that belongs to it, for good.

    Each conversation goes with all its revisions, evaluations, issues, verdicts and annotations. What is being
    evaluated just then does not come back. What was archived is not touched. Interrupted, it goes on when asked again.
    """


@delete.command("conversation")
@click.argument("conversation_ids", metavar="ID…", nargs=-1, required=True)
@click.option("--project", default=DEFAULT_PROJECT, show_default=True, help="Project they are in.")
@data_option
@format_option
def one_by_one(conversation_ids: Sequence[str], project: str, data_dir: Path | None, style: str) -> None:
    """Delete the conversations ID…, by the ids they were sent with or by the keys of their receipts.

    Exits with 2 if there is nothing under one of them; the others are deleted all the same.
    """

    async def act(ledger: Ledger) -> list[str]:
        return await delete_conversations(ledger, project, conversation_ids)

    unknown = with_ledger(settings_for(data_dir), act)
    _tell(Deleted(len(set(conversation_ids)) - len(unknown)), style)
    if unknown:
        named = ", ".join(repr(plain(one, 100)) for one in unknown[:10])
        more = f" and {len(unknown) - 10} more" if len(unknown) > 10 else ""
        raise NotFound(f"no conversation {named}{more} in the project {plain(project, 100)!r}")


@delete.command("project")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it; without it nothing is deleted.")
@click.option("--keep-keys", is_flag=True, help="Leave the API keys of the project valid.")
@data_option
@format_option
def whole_project(name: str, yes: bool, keep_keys: bool, data_dir: Path | None, style: str) -> None:
    """Delete all conversations of the project NAME, and revoke its API keys."""

    async def act(ledger: Ledger, catalog: Catalog) -> Deleted:
        if not await is_known(ledger, catalog, name):
            raise NotFound(f"no project {plain(name, 100)!r}: it has neither conversations nor valid API keys")
        if not yes:
            raise click.UsageError(f"say --yes to delete everything of the project {plain(name, 100)!r} for good")
        revoked = 0 if keep_keys else await revoke_keys(catalog, name, at=datetime.now(UTC))
        return Deleted(sum([count async for count in delete_project(ledger, name)]), revoked)

    _tell(with_ledger_and_catalog(settings_for(data_dir), act), style)


def _tell(deleted: Deleted, style: str) -> None:
    if style == "json":
        echo(msgspec.json.encode(deleted))
        return
    echo(f"{count_of(deleted.conversations, 'conversation')} deleted")
    if deleted.revoked_keys:
        echo(f"{count_of(deleted.revoked_keys, 'API key')} revoked; a running server refuses it within half a minute")
