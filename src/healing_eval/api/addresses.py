"""How does a path name a conversation?

By its percent-encoded id, or by the key that the 202 returned. Senders choose ids, so one may hold slashes, dots,
question marks and percent signs, which a router would take as its own. Before routing, everything between the resource
and a known last segment is therefore packed into one segment that no router touches; handlers unpack it.

Slashes may come plain. A last segment that names a sub-resource belongs to the path and not to the id, unless its slash
came as %2F.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import unquote_to_bytes

from litestar.types import HTTPScope

from healing_eval.domain.conversation import key_from_text
from healing_eval.domain.revision import ConversationHead
from healing_eval.errors import NotFound
from healing_eval.ports.ledger import Ledger

_SUB_RESOURCES = {b"/api/v1/conversations/": (b"/feedback", b"/body"), b"/api/v1/evaluations/": ()}
_NOT_IDS = {("POST", b"/api/v1/evaluations/query")}
_MARK = "~"


def pack(scope: HTTPScope) -> None:
    """Pack the id in a request's path, where there is one, into one segment."""
    raw = scope["raw_path"]
    for prefix, sub_resources in _SUB_RESOURCES.items():
        if raw.startswith(prefix) and len(raw) > len(prefix) and (scope["method"], raw) not in _NOT_IDS:
            name = raw[len(prefix) :]
            tail = next((sub for sub in sub_resources if name.endswith(sub)), b"")
            packed = urlsafe_b64encode(unquote_to_bytes(name.removesuffix(tail))).decode().rstrip("=")
            scope["path"] = f"{prefix.decode()}{_MARK}{packed}{tail.decode()}"
            return


def unpack(segment: str) -> str:
    """Give the id or key that a packed segment holds, repaired as a stored id is."""
    packed = segment.removeprefix(_MARK)
    raw = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


async def find_conversation(ledger: Ledger, project: str, segment: str) -> ConversationHead:
    """Find the conversation a path names; an id that looks like a key is an id first.

    Raises:
        NotFound: the project has no such conversation.
    """
    name = unpack(segment)
    head = await ledger.find(project, name)
    key = key_from_text(name) if head is None else None
    if key is not None:
        head = await ledger.find_by_key(project, key)
    if head is None:
        raise NotFound("the project has no conversation of this id or key")
    return head
