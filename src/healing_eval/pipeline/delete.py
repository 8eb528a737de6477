"""How does everything of a conversation, or of a project, go at once?

Some conversations at a time, each with all its revisions, evaluations, issues, verdicts and annotations in one
transaction; so whoever is stopped in the middle goes on by asking again. What was archived is not touched.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime

from healing_eval.domain.conversation import conversation_key, key_from_text
from healing_eval.domain.query import MAX_PAGE, ConversationFilter
from healing_eval.ports.catalog import Catalog
from healing_eval.ports.ledger import Ledger


async def delete_conversations(ledger: Ledger, project: str, names: Sequence[str]) -> list[str]:
    """Delete conversations of a project by the ids their senders gave, or by the keys that receipts name.

    Returns:
        The names under which there is nothing.

    Raises:
        BackendError: the store failed; the same again goes on.
    """
    unknown: list[str] = []
    for name in dict.fromkeys(names):
        key = await _find(ledger, project, name)
        if key is None or not await ledger.delete([key]):
            unknown.append(name)
    return unknown


async def _find(ledger: Ledger, project: str, name: str) -> bytes | None:
    key = key_from_text(name)
    for possible in (conversation_key(project, name), *([] if key is None else [key])):
        if await ledger.find_by_key(project, possible) is not None:
            return possible
    return None


async def is_known(ledger: Ledger, catalog: Catalog, project: str) -> bool:
    """Tell whether a project has conversations or API keys that are not revoked.

    Raises:
        BackendError: the store does not answer.
    """
    page = await ledger.list_heads(project, ConversationFilter(limit=1))
    return bool(page.items) or bool(await _valid_keys(catalog, project))


async def revoke_keys(catalog: Catalog, project: str, *, at: datetime) -> int:
    """Revoke all API keys of a project, and tell how many were valid.

    Their records stay: a server whose catalog has never held a key lets everybody do everything.
    """
    valid = await _valid_keys(catalog, project)
    for key_id in valid:
        await catalog.revoke_key(key_id, at)
    return len(valid)


async def delete_project(ledger: Ledger, project: str) -> AsyncGenerator[int]:
    """Delete all conversations of a project until there is none left; tells how many went with each step.

    Raises:
        BackendError: the store failed; the same again goes on.
    """
    while (page := await ledger.list_heads(project, ConversationFilter(limit=MAX_PAGE))).items:
        yield await ledger.delete([head.revision_key.conversation_key for head in page.items])


async def _valid_keys(catalog: Catalog, project: str) -> list[str]:
    return [key.key_id for key in await catalog.list_keys() if key.project == project and key.revoked_at is None]
