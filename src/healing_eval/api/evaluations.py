"""The resource `evaluations`: what was found out about a conversation, and about which ones?"""

from __future__ import annotations

from litestar import Controller, get, post

from healing_eval.api.addresses import find_conversation
from healing_eval.api.body import read_json
from healing_eval.api.context import AnyRequest, Named, allow, context_of
from healing_eval.api.noted import note
from healing_eval.api.questions import read_query
from healing_eval.api.views import EvaluatedPage, EvaluatedView
from healing_eval.errors import NotFound


class Evaluations(Controller):
    """Handlers under `/api/v1/evaluations`."""

    path = "/api/v1/evaluations"
    tags = ("evaluations",)

    @get("/{conversation_id:str}", operation_id="get_evaluations", summary="Get a conversation's verdict")
    async def of_conversation(self, request: AnyRequest, conversation_id: Named) -> EvaluatedView:
        """Give the verdict and the evaluations of a conversation's latest revision."""
        principal = await allow(request, "read")
        ledger = context_of(request).services.ledger
        head = await find_conversation(ledger, principal.project, conversation_id)
        evaluated = await ledger.evaluated(head.revision_key.conversation_key)
        if evaluated is None:
            raise NotFound("the conversation is gone")
        return EvaluatedView.of(evaluated)

    @post("/query", status_code=200, operation_id="query_evaluations", summary="Find evaluated conversations")
    async def query(self, request: AnyRequest) -> EvaluatedPage:
        """Find evaluated conversations, latest revisions only; every filter given must hold."""
        principal = await allow(request, "read")
        context = context_of(request)
        query = read_query(await read_json(request, context.services.settings.limits.body_bytes))
        page = await context.services.ledger.query(principal.project, query)
        note(request.scope, items=len(page.items))
        return EvaluatedPage(tuple(EvaluatedView.of(one) for one in page.items), page.next_cursor)
