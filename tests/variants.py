"""
Runs of EZ Cards and Centra against the healthy endpoint with something of the test's own around it.

What is around it knows ASGI and the documentation, and shares nothing with the faults of the
reference endpoint.
"""

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from urllib.parse import parse_qs

from harness import NOW, overall, report
from wrapping import JSON, Clock, Said, Wrapping, read

from conformance import providers
from conformance import suite as suites
from conformance.reference.app import CREDENTIALS, Endpoint
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport
from conformance.reference.server import running
from conformance.runner import Runner, Settings
from conformance.scrub import Vault

__all__ = ["CREDENTIALS", "NOW", "Around", "Call", "Clock", "Said", "overall", "report", "running"]


# Runs


@cache
def pack(name, revision="", account=""):
    """The suite for the account that the reference endpoint knows, or for the one in a file."""
    provider = providers.load(name, revision) if revision else providers.load(name)
    facts = providers.read_account(provider, account) if account else providers.reference_account(provider)
    return suites.build(provider, facts, CREDENTIALS)


def endpoint(made, *, strict=False, **more):
    """The healthy endpoint for a suite's account."""
    settings = {"clock": lambda: NOW} | more
    return Endpoint(made.provider, made.account, healthy(made.provider, strict=strict), **settings)


def run(made, around=None, *, inside=None, selected=(), strict=False, **settings):
    """One run; waiting takes no time unless a ``patience`` is given. ``around`` makes an application of one."""
    app = (inside or endpoint(made, strict=strict)).app()
    vault = Vault(CREDENTIALS, made.provider.secret_members)
    transport = AppTransport(around(app) if around else app, made.provider.main.base_path, vault)
    settings = {"seed": 1, "token": "tests1", "instant": NOW, "patience": Clock().patience} | settings
    return Runner(made, transport, Settings(**settings)).run(selected or [case.id for case in made.cases])


class Wrapped:
    """An endpoint with something around it, as ``running`` takes one."""

    def __init__(self, inside, around):
        self.provider = inside.provider
        self._app = around(inside.app())

    def app(self):
        return self._app


@contextmanager
def served(made, around=lambda app: app, **more):
    """An endpoint over HTTP, by the clock of this machine, with what is around it; gives its URL."""
    settings = {"clock": lambda: datetime.now(UTC)} | more
    with running(Wrapped(endpoint(made, **settings), around)) as url:
        yield url


# What came of them


def cases(made, *requirements):
    """The cases of requirements, by their ids."""
    chosen = [each.id for each in made.cases if each.requirement.id in requirements and not each.excluded]
    assert {each.partition("/")[0] for each in chosen} == set(requirements)
    return chosen


def unhappy(done):
    """Everything that is neither conformant nor merely observed, with what was seen."""
    words = ("violation", "advisory", "inconclusive")
    return {
        name: (str(each.verdict), each.reason, each.findings[:1])
        for name, each in done.judgements.items()
        if each.verdict in words and name in done.selected
    }


def conforms(done):
    """The run is conformant, and nothing in it is less than that."""
    assert done.stopped == ""
    assert unhappy(done) == {}
    assert overall(done) == "conformant"


def proves_nothing(done):
    """The run is inconclusive: not conformant, and nothing in it is held against the endpoint."""
    words = {each[0] for each in unhappy(done).values()}
    assert words == {"inconclusive"}, unhappy(done)
    assert overall(done) == "inconclusive"


def every_must_is_settled(found):
    """Each requirement of level must was judged, or says why not."""
    musts = [each for each in found["requirements"] if each["level"] == "must"]
    for row in musts:
        if row["verdict"] == "untested":
            assert len(row["untestable"]) > 20, row
        elif row["verdict"] == "not-applicable":
            assert all(case["reason"] for case in row["cases"]), row
        else:
            assert row["verdict"] == "conformant", row
    return musts


class Broken:
    """A variant, the requirement that has to name it, and what else follows from it."""

    def __init__(self, variant, requirement, *consequences):
        self.variant, self.requirement = variant, requirement
        self.allowed = {requirement, *consequences}

    @property
    def id(self):
        return f"{self.variant.__name__}-{self.requirement}"


# Applications


@dataclass(frozen=True)
class Call:
    """One request as an application gets it; ``path`` is without the documented base."""

    scope: dict
    body: bytes
    path: str

    @property
    def method(self):
        return self.scope["method"]

    @property
    def creates(self):
        return (self.method, self.path) == ("POST", "/orders")

    @property
    def lists(self):
        return (self.method, self.path) == ("GET", "/orders")

    @property
    def query(self):
        return {key: found[0] for key, found in parse_qs(self.scope["query_string"].decode()).items()}

    @property
    def json(self):
        return read(self.body)

    def header(self, name):
        return next((value.decode() for key, value in self.scope["headers"] if key.decode().lower() == name), None)

    def sending(self, value):
        """The same call with other JSON."""
        return replace(self, body=json.dumps(value).encode())

    def with_header(self, name, value):
        """The same call with another value of a header."""
        headers = [each for each in self.scope["headers"] if each[0].decode().lower() != name]
        return replace(self, scope=self.scope | {"headers": [*headers, (name.encode(), value.encode())]})


def said(status, value=None, text=None):
    """An answer of one's own; without a value, an empty one."""
    if text is not None:
        return Said(status, [(b"content-type", b"text/plain")], text.encode())
    return Said(status, JSON, json.dumps(value).encode()) if value is not None else Said(status, [])


class Around(Wrapping):
    """An ASGI application around another one, which answers as the inner one does."""

    base = ""

    def call(self, scope, body):
        return Call(scope, body, scope["path"].removeprefix(self.base))

    def changed(self, call, answer):
        """What becomes of an answer."""
        if call.creates:
            if answer.accepts:
                return answer.saying(self.taken(call, answer.json))
            return self.refused(call, answer) if answer.status < 500 else answer
        if answer.accepts and answer.json is not None:
            return answer.saying(self.read(call, answer.json))
        return answer

    def taken(self, call, body):
        """The answer to what was taken."""
        return body

    def refused(self, call, answer):
        return answer

    def read(self, call, body):
        """The answer to any other call."""
        return body


def everywhere(value, change):
    """A value with every object in it changed, innermost first."""
    if isinstance(value, dict):
        return change({key: everywhere(each, change) for key, each in value.items()})
    if isinstance(value, list):
        return [everywhere(each, change) for each in value]
    return value
