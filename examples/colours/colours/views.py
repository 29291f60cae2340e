"""What each page that this worker remembers depends on, and why: for people, and for the tour."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from notmodified.recording import never_recorded
from notmodified.records.explain import explain
from notmodified.records.store import RECORDS


@never_recorded
def dependencies(request: HttpRequest) -> JsonResponse:
    """The remembered pages by their path, each with its dependencies."""
    found: dict[str, list[list[str]]] = {}
    for (*_, path, _), record in RECORDS.items():
        found.setdefault(path, []).extend([one.what, one.why] for one in explain(record))
    return JsonResponse(found)
