"""A provider's promises as values: operations, envelope, credentials, hosts and account facts, read from its pack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from conformance import descriptors, resources, schemas
from conformance.errors import PackError, UserError, nearest
from conformance.model import Account, Json, JsonObject

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.resources import PackFolders


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where access tokens come from; ``root`` paths start at the host, others at the endpoint."""

    path: str
    encoding: str
    root: bool = False


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """One complete way to authenticate: placeholder name to environment variable."""

    variables: dict[str, str]
    token_url: str = ""


@dataclass(frozen=True, slots=True)
class Auth:
    """The header that authenticates, with ``{{placeholders}}``, and where their values come from."""

    header: str
    value: str
    credentials: tuple[CredentialSet, ...]
    token_endpoints: tuple[TokenEndpoint, ...]


@dataclass(frozen=True, slots=True)
class OrderForm:
    """How a realistic order is written down: a template of expressions and what the smaller forms keep of it."""

    template: JsonObject
    lines: str
    country: str
    country_fact: str
    by_country: tuple[tuple[str, frozenset[str]], ...]
    plain: tuple[str, ...]
    minimal: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One method and path.

    ``success`` are the documented statuses of acceptance; ``refusals`` are statuses that
    count as a refusal here although elsewhere they say nothing about the body.
    """

    id: str
    main: bool
    method: str
    path: str
    base_path: str
    content_type: str
    request_schema: JsonObject
    response_schema: JsonObject | None
    success: tuple[int, ...]
    refusals: tuple[int, ...]
    anonymous: bool
    secret: bool
    needs_credentials: tuple[str, ...]
    body: JsonObject | None
    envelope: str
    wrapper: str
    mixed_batch: str
    batch_min: int
    batch_max: int
    pack_size: int
    order: OrderForm | None


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider pack without its catalogue."""

    name: str
    title: str
    prefix: str
    documentation: tuple[str, ...]
    revisions: tuple[str, ...]
    revision: str
    production_hosts: tuple[str, ...]
    account_keys: dict[str, JsonObject]
    auth: Auth
    operations: tuple[Operation, ...]
    reference: JsonObject
    folders: PackFolders

    @property
    def main(self) -> Operation:
        """The operation that takes bulk orders."""
        return next(each for each in self.operations if each.main)

    def operation(self, name: str) -> Operation:
        """An operation by id. Raises PackError with the nearest id."""
        for each in self.operations:
            if each.id == name:
                return each
        ids = [each.id for each in self.operations]
        raise PackError(f"{self.folders.schemas}: no operation {name!r}; {nearest(name, ids)}")


@cache
def load(name: str, revision: str = "") -> Provider:
    """
    The pack of a provider at a revision of its documentation (default: the current one).

    Raises UserError for an unknown name or revision, PackError for a pack with a mistake.
    """
    folders = resources.folders_of(name)
    path = folders.schemas / "provider.toml"
    data = cast("dict[str, Any]", descriptors.read(path, "provider", PackError))
    if data["name"] != name:
        raise PackError(f"{path}: /name: {data['name']!r} differs from the folder {name!r}")
    revisions = [str(each["name"]) for each in data["revision"]]
    current = next((str(each["name"]) for each in data["revision"] if each.get("current")), revisions[-1])
    if revision and revision not in revisions:
        raise UserError(f"--revision={revision}: {name} has no such revision; {nearest(revision, revisions)}")
    operations = tuple(_operation(each, folders) for each in data["operation"])
    if sum(each.main for each in operations) != 1:
        raise PackError(f"{path}: /operation: exactly one operation needs main = true")
    auth = data["auth"]
    return Provider(
        name=name,
        title=data["title"],
        prefix=data["requirement-prefix"],
        documentation=tuple(data.get("documentation", ())),
        revisions=tuple(revisions),
        revision=revision or current,
        production_hosts=tuple(data.get("hosts", {}).get("production", ())),
        account_keys=data.get("account", {}),
        auth=Auth(
            auth["header"],
            auth["value"],
            tuple(CredentialSet(dict(each["variables"]), each.get("token-url", "")) for each in auth["credentials"]),
            tuple(
                TokenEndpoint(each["path"], each["encoding"], each.get("root", False))
                for each in auth.get("token-endpoint", ())
            ),
        ),
        operations=operations,
        reference=data.get("reference", {}),
        folders=folders,
    )


def _operation(data: dict[str, Any], folders: PackFolders) -> Operation:
    def schema(key: str) -> JsonObject | None:
        return schemas.load(folders.schemas / data[key]) if key in data else None

    batch = data.get("batch", {})
    return Operation(
        id=data["id"],
        main=data.get("main", False),
        method=data["method"],
        path=data["path"],
        base_path=data.get("base-path", ""),
        content_type=data.get("content-type", ""),
        request_schema=schema("request-schema") or {},
        response_schema=schema("response-schema"),
        success=tuple(data["success"]),
        refusals=tuple(data.get("refusals", ())),
        anonymous=data.get("anonymous", False),
        secret=data.get("secret", False),
        needs_credentials=tuple(data.get("needs-credentials", ())),
        body=data.get("body"),
        envelope=data.get("envelope", ""),
        wrapper=data.get("wrapper", ""),
        mixed_batch=data.get("mixed-batch", "silent"),
        batch_min=batch.get("min", 0),
        batch_max=batch.get("max", 0),
        pack_size=data.get("pack-size", 1),
        order=_order_form(data["order"], folders) if "order" in data else None,
    )


def _order_form(data: dict[str, Any], folders: PackFolders) -> OrderForm:
    path = folders.schemas / data["template"]
    try:
        template = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackError(f"{path}: cannot be read as JSON ({error})") from error
    return OrderForm(
        template=template,
        lines=data.get("lines", ""),
        country=data.get("country", "GB"),
        country_fact=data.get("country-fact", ""),
        by_country=tuple((each["path"], frozenset(each["countries"])) for each in data.get("by-country", ())),
        plain=tuple(data.get("plain", ())),
        minimal=tuple((each["path"], each.get("unless", "")) for each in data.get("minimal", ())),
    )


def reference_account(provider: Provider) -> Account:
    """The account that the embedded reference endpoint knows: the pack's own account.toml."""
    path = provider.folders.fixtures / "account.toml"
    return read_account(provider, path) if path.is_file() else Account()


def read_account(provider: Provider, path: Path) -> Account:
    """The business facts in a TOML file. Raises UserError for an unreadable file, a misspelt key or a wrong type."""
    meta: JsonObject = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: cast("Json", {"type": each["type"]}) for key, each in provider.account_keys.items()},
    }
    facts = descriptors.read(path, "account", UserError)
    for each in provider.auth.credentials:
        for name in each.variables.keys() & facts.keys():
            raise UserError(f"{path}: /: {name!r} is a secret; set {each.variables[name]} in the environment instead")
    descriptors.check(facts, meta, path, UserError)
    for key, about in provider.account_keys.items():
        if "into" in about and key in facts:
            known = cast("list[Json]", facts.setdefault(str(about["into"]), []))
            value = facts.pop(key)
            if value not in known:
                known.append(value)
    return Account(facts)
