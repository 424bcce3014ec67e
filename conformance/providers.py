"""A provider's promises as values: operations, envelope, credentials, hosts and account facts, read from its pack."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from conformance import auth, descriptors, operations, resources
from conformance.errors import PackError, UserError, nearest
from conformance.model import Account, Json, JsonObject
from conformance.pace import Rate

if TYPE_CHECKING:
    from conformance.auth import Auth
    from conformance.operations import Operation, ReadBack
    from conformance.resources import PackFolders


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
    sandbox_hosts: tuple[str, ...]
    # How many requests its own hosts may have to answer at once, and how many in which time.
    concurrency: int
    rates: tuple[Rate, ...]
    account_keys: dict[str, JsonObject]
    auth: Auth
    operations: tuple[Operation, ...]
    read_back: ReadBack | None
    # Members of answers that are worth money or secret, and never kept.
    secret_members: tuple[str, ...]
    # Members of answers that say something about people, and are kept only where we sent the value ourselves.
    personal_members: tuple[str, ...]
    derived: tuple[dict[str, Any], ...]
    reference: JsonObject
    # Which requirements speak of what a client does beside its bodies.
    client: JsonObject
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
    known = tuple(operations.operation(each, folders, revision or current) for each in data["operation"])
    if sum(each.main for each in known) != 1:
        raise PackError(f"{path}: /operation: exactly one operation needs main = true")
    return Provider(
        name=name,
        title=data["title"],
        prefix=data["requirement-prefix"],
        documentation=tuple(data.get("documentation", ())),
        revisions=tuple(revisions),
        revision=revision or current,
        production_hosts=tuple(data.get("hosts", {}).get("production", ())),
        sandbox_hosts=tuple(data.get("hosts", {}).get("sandbox", ())),
        concurrency=data.get("concurrency", 1),
        rates=tuple(
            Rate(each["requests"], each["seconds"], tuple(each.get("methods", ()))) for each in data.get("rate", ())
        ),
        account_keys=data.get("account", {}),
        auth=auth.auth(data["auth"]),
        operations=known,
        read_back=operations.read_back(data["read-back"]) if "read-back" in data else None,
        secret_members=tuple(data.get("secret-members", ())),
        personal_members=tuple(data.get("personal-members", ())),
        derived=tuple(data.get("derive", ())),
        reference=data.get("reference", {}),
        client=data.get("client", {}),
        folders=folders,
    )


def reference_account(provider: Provider) -> Account:
    """The account that the embedded reference endpoint knows: the pack's own account.toml."""
    path = provider.folders.fixtures / "account.toml"
    return read_account(provider, path) if path.is_file() else Account()


def read_account(provider: Provider, path: Path) -> Account:
    """The business facts in a TOML file. Raises UserError for an unreadable file, a misspelt key or a wrong type."""
    return _account(provider, descriptors.read(path, "account", UserError), path)


def changed_account(provider: Provider, facts: JsonObject) -> Account:
    """The account of the reference endpoint with some facts of one's own. Raises UserError as ``read_account`` does."""
    path = provider.folders.fixtures / "account.toml"
    known = descriptors.read(path, "account", UserError) if path.is_file() else {}
    return _account(provider, known | copy.deepcopy(facts), Path("account"))


def _account(provider: Provider, facts: JsonObject, path: Path) -> Account:
    meta: JsonObject = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: cast("Json", {"type": each["type"]}) for key, each in provider.account_keys.items()},
    }
    for name, variables in provider.auth.variables.items():
        if name in facts:
            raise UserError(f"{path}: /: {name!r} is a secret; set {variables[0]} in the environment instead")
    descriptors.check(facts, meta, path, UserError)
    for key, about in provider.account_keys.items():
        if "into" in about and key in facts:
            known = cast("list[Json]", facts.setdefault(str(about["into"]), []))
            value = facts.pop(key)
            if value not in known:
                known.append(value)
    for each in provider.derived:
        _derive(facts, each)
    return Account(facts)


def _derive(facts: JsonObject, rule: dict[str, Any]) -> None:
    """Add a fact that follows from others: a member of the first row that satisfies every condition."""
    if rule["key"] in facts:
        return
    for row in cast("list[JsonObject]", facts.get(rule["from"], [])):
        if rule["take"] in row and all(_holds(row, each, facts) for each in rule.get("where", ())):
            facts[rule["key"]] = row[rule["take"]]
            return


def _holds(row: JsonObject, condition: dict[str, Any], facts: JsonObject) -> bool:
    """Whether a row's member is, or is not, another fact or one of its elements; unknown facts satisfy nothing."""
    word = next(key for key in condition if key != "member")
    value, other = row.get(condition["member"]), facts.get(condition[word])
    if other is None:
        return False
    found = value in cast("list[Json]", other) if word in ("in", "not-in") else value == other
    return found if word in ("in", "is") else not found
