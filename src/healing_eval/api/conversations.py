"""The resource `conversations`: how are they sent, listed, opened and commented on?"""

from __future__ import annotations

from litestar import Controller, Response, get, post

from healing_eval.api.addresses import find_conversation
from healing_eval.api.body import read_json
from healing_eval.api.context import AnyRequest, Named, allow, context_of
from healing_eval.api.noted import note
from healing_eval.api.questions import parameters_named, read_filter
from healing_eval.api.sending import PATH, status_of, take_conversations
from healing_eval.api.views import ContentView, ConversationDetail, ConversationPage, ConversationView
from healing_eval.domain.revision import ConversationHead, StoredRevision
from healing_eval.errors import NotFound
from healing_eval.formats.item import read_conversation
from healing_eval.pipeline.annotate import FeedbackAnswer, annotate
from healing_eval.pipeline.ingest import IngestAnswer
from healing_eval.ports.ledger import Ledger


class Conversations(Controller):
    """Handlers under `/api/v1/conversations`."""

    path = PATH
    tags = ("conversations",)

    @post("/", status_code=202, operation_id="send_conversations", summary="Send conversations")
    async def send(self, request: AnyRequest) -> Response[IngestAnswer]:
        """Take conversations, as an envelope or as NDJSON.

        202 is answered when at least one item is stored, committed; else 422 with the same body. A bad item never costs
        the good ones.
        """
        taken = await take_conversations(context_of(request), request.scope, request.receive)
        return Response(taken.answer, status_code=status_of(taken))

    @get("/", operation_id="list_conversations", summary="List conversations")
    async def list_page(self, request: AnyRequest) -> ConversationPage:
        """List conversations, newest first; every parameter given must hold."""
        principal = await allow(request, "read")
        chosen = read_filter(request.query_params.dict())
        with parameters_named():
            page = await context_of(request).services.ledger.list_heads(principal.project, chosen)
        note(request.scope, items=len(page.items))
        return ConversationPage(tuple(ConversationView.of(head) for head in page.items), page.next_cursor)

    @get("/{conversation_id:str}", operation_id="get_conversation", summary="Open a conversation")
    async def open(self, request: AnyRequest, conversation_id: Named) -> ConversationDetail:
        """Give a conversation's current state, its content, and what people said about it."""
        principal = await allow(request, "read")
        ledger = context_of(request).services.ledger
        head = await find_conversation(ledger, principal.project, conversation_id)
        stored = await _load(ledger, head)
        conversation = read_conversation(stored.body, project=head.project)
        said = await ledger.annotations([head.revision_key.conversation_key])
        return ConversationDetail(
            conversation=ConversationView.of(head),
            content=ContentView.of(conversation),
            annotations=tuple(one.annotation for one in said),
        )

    @get(
        "/{conversation_id:str}/body",
        media_type="application/json",
        operation_id="get_conversation_body",
        summary="Get the bytes that were sent",
    )
    async def body(self, request: AnyRequest, conversation_id: Named) -> Response[bytes]:
        """Give the latest revision as it was sent, byte for byte, but for what the item's notes said then."""
        principal = await allow(request, "read")
        ledger = context_of(request).services.ledger
        head = await find_conversation(ledger, principal.project, conversation_id)
        stored = await _load(ledger, head)
        return Response(stored.body, media_type="application/json")

    @post(
        "/{conversation_id:str}/feedback",
        status_code=201,
        operation_id="send_feedback",
        summary="Say something about a conversation",
    )
    async def feedback(self, request: AnyRequest, conversation_id: Named) -> FeedbackAnswer:
        """Append feedback; nothing said before is replaced."""
        principal = await allow(request, "ingest", "review")
        context = context_of(request)
        body = await read_json(request, context.services.settings.limits.body_bytes)
        head = await find_conversation(context.services.ledger, principal.project, conversation_id)
        return await annotate(context.services.ledger, head, body, context.wire_limits)


async def _load(ledger: Ledger, head: ConversationHead) -> StoredRevision:
    stored = await ledger.load([head.revision_key])
    if not stored:
        raise NotFound("the conversation is gone")
    return stored[0]
