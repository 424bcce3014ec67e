"""Responses of a composed document: the documented statuses, and any other 4xx where none is documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.composed.bodies import named

if TYPE_CHECKING:
    from conformance.model import JsonObject
    from conformance.operations import Operation


def of_operation(operation: Operation, known: JsonObject) -> JsonObject:
    """The responses by status, their schemas added to the ``known`` ones."""
    words = "".join(word.capitalize() for word in operation.id.split("-"))
    success = operation.success_schema or operation.response_schema
    content = _content(named(f"{words}Response", success, known)) if success else {}
    found: JsonObject = {str(status): {"description": "Taken", **content} for status in operation.success}
    for status in operation.tolerated:
        found[str(status)] = {"description": "Taken, by another page of the documentation", **content}
    refused = _content(named(f"{words}Refusal", operation.refusal_schema, known)) if operation.refusal_schema else {}
    if operation.refusal_status:
        found[str(operation.refusal_status)] = {"description": "Refused", **refused}
    # The documentation promises no other status, and forbids none.
    found["4XX"] = {"description": "Refused with a status that is not documented"}
    return found


def _content(schema: JsonObject) -> JsonObject:
    return {"content": {"application/json": {"schema": schema}}}
