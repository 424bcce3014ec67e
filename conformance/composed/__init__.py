"""An OpenAPI 3.1 document composed from a pack: what it knows of an API, in the form that other tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance import providers
from conformance.composed import answers, bodies, parameters, security, servers

if TYPE_CHECKING:
    from datetime import datetime

    from conformance.model import Account, Json, JsonObject
    from conformance.operations import Operation
    from conformance.providers import Provider


def compose(provider: Provider, account: Account | None = None, now: datetime | None = None) -> JsonObject:
    """
    The document of a pack at its revision, valid by OpenAPI 3.1.

    Examples are orders of the ``account`` (default: that of the reference endpoint), made at the
    instant ``now`` (default: the beginning of today, UTC). Equal arguments give equal documents.
    """
    account = account or providers.reference_account(provider)
    schemas: JsonObject = {}
    paths: dict[str, JsonObject] = {}
    for operation in provider.operations:
        item = paths.setdefault(operation.path, servers.of_path(provider, operation))
        item[operation.method.lower()] = _operation(provider, operation, schemas, account, now)
    return {
        "openapi": "3.1.0",
        "info": _info(provider),
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": servers.of_provider(provider),
        "security": security.demanded(provider),
        "paths": dict(paths),
        "components": {"schemas": schemas, "securitySchemes": security.schemes(provider)},
    }


def _info(provider: Provider) -> JsonObject:
    sources = "".join(f"\n- {each}" for each in provider.documentation)
    return {
        "title": provider.title,
        "version": provider.revision,
        "description": f"Composed from the provider pack `{provider.name}`, which follows:\n{sources}"
        if sources
        else f"Composed from the provider pack `{provider.name}`.",
    }


def _operation(
    provider: Provider, operation: Operation, schemas: JsonObject, account: Account, now: datetime | None
) -> JsonObject:
    made: JsonObject = {"operationId": operation.id, "summary": _summary(provider, operation)}
    if own := security.of_operation(operation):
        made["security"] = own["security"]
    if known := parameters.of_operation(provider, operation):
        made["parameters"] = known
    if body := bodies.of_operation(provider, operation, schemas, account, now):
        made["requestBody"] = body
    made["responses"] = answers.of_operation(operation, schemas)
    return made


def _summary(provider: Provider, operation: Operation) -> Json:
    return provider.title if operation.main else operation.id.replace("-", " ").capitalize()
