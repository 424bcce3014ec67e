"""
What tests over all packs are held against: each pack at each revision of its documentation, for each kind of account.

A world is named ``centra`` for the current revision and the account of the pack, ``centra:seed`` for another revision,
``centra:b2b`` for an account of another kind, ``centra:seed:b2b`` for both.
"""

import json
from functools import cache
from itertools import product
from urllib.parse import parse_qsl

from conformance import catalogue as catalogues
from conformance import envelope, providers, resources
from conformance import suite as suites
from conformance.model import Account
from conformance.reference import behaviour
from conformance.values import Past


def _kinds(name):
    """(word, facts) of the pack's own account and of those of every other kind that a ``when`` or ``account-is`` names."""
    pack = providers.load(name)
    known = catalogues.load(name)
    asked = [each.get("when", {}) for each in known.conditions.values()]
    asked += [each.get("when", {}) for rows in known.cases.values() for each in rows]
    asked += [each.get("account-is", {}) for each in pack.reference.get("always", ())]
    own = providers.reference_account(pack)
    others = {(fact, value) for each in asked for fact, value in each.items() if own.get(fact) != value}
    return [("", {}), *((str(value), {fact: value}) for fact, value in sorted(others))]


@cache
def _all():
    found = {}
    for name in resources.providers():
        newest = providers.load(name).revision
        revisions = sorted(providers.load(name).revisions, key=lambda each: each != newest)
        for revision, (kind, facts) in product(revisions, _kinds(name)):
            words = [name, "" if revision == newest else revision, kind]
            found[":".join(word for word in words if word)] = (name, revision, facts)
    return found


PACKS = list(resources.providers())
WORLDS = list(_all())


def provider(world):
    """The name of the pack of a world."""
    return world.partition(":")[0]


def pack(world):
    name, revision, _ = _all()[world]
    return providers.load(name, revision)


def catalogue(world):
    name, revision, _ = _all()[world]
    return catalogues.load(name, revision)


def account(world):
    """The account of the reference endpoint, of the kind that the world is about."""
    return Account(providers.reference_account(pack(world)).facts | _all()[world][2])


def secrets(world):
    """The placeholders of every secret that the environment can give."""
    return set(pack(world).auth.variables)


@cache
def suite(world):
    """The suite with everything known that an account or environment can tell."""
    return suites.build(pack(world), account(world), secrets(world))


@cache
def rules(world):
    """The documented rules that no schema says, as far as revision and account have them."""
    known = behaviour.healthy(pack(world)).rules
    wanted = [(each, each.get("account-is", {}).items()) for each in known]
    return [each for each, facts in wanted if all(account(world).get(fact) == value for fact, value in facts)]


def of_kinds(world):
    """The other worlds of the same pack and revision."""
    name, revision, _ = _all()[world]
    return [each for each, known in _all().items() if each != world and known[:2] == (name, revision)]


def answered(operation, body, number):
    """The JSON of an answer that takes every order of a body, with an id for each: what later steps recall of it."""
    outcome = operation.outcome
    if outcome is None:
        return {"data": [{"id": number}], "orders": [str(number)]}
    if outcome.by_name:
        entry = {outcome.status.removeprefix("/"): outcome.accepted}
        entry |= {path.split("/")[1]: [number] if path.endswith("/*") else number for path in outcome.ids}
        return dict.fromkeys(envelope.names(operation, body), entry)
    entry = {outcome.id.removeprefix("/"): number}
    # The currency of an order is what cases recall of one that stands alone.
    alone = entry | {"grandTotal": {"currency": "USD", "amount": "12.50"}}
    return {outcome.entries.removeprefix("/"): alone if operation.envelope == "single" else [entry]}


def body_of(composed):
    """What a request says, as JSON or as a form."""
    if "form" in dict(composed.request.headers).get("content-type", ""):
        return dict(parse_qsl(composed.request.body.decode(), strict_parsing=True))
    return json.loads(composed.request.body)


def played(world, case, composer, now):
    """(index, composed) of the steps that send orders or another body, where each is answered with an id."""
    sent, answers, first = [], [], None
    for index, _ in enumerate(case.steps):
        past = Past(tuple(sent), tuple(answers), ("cursor=c-1&page=2",) * len(sent))
        composed = composer.step(case, index, "", now, first=first, past=past)
        if index == 0 and composed.orders:
            first = composed.orders[0]
        in_bytes = composed.change_of == "request"
        sent.append(body_of(composed) if composed.request.body and not in_bytes else None)
        answers.append(answered(pack(world).operation(composed.operation), sent[-1], 4711 + index))
        if composed.request.body:
            yield index, composed
