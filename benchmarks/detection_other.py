"""
Schemathesis against faulty endpoints: what it sends is made once, its own checks judge every answer.

What it generates in its examples, coverage and fuzzing phases does not hang on a fault: so the engine
runs once, against the healthy endpoint, and each of its requests goes to every faulty one as the same bytes.
An answer that differs from the healthy one's is judged by ``Case.validate_response``, all checks on.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.engine import events, from_schema

from conformance import composed
from conformance.model import Request
from conformance.reference.app import Endpoint, credentials
from conformance.reference.inprocess import AppTransport
from conformance.scrub import Vault

HOST = "http://127.0.0.1"
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# Requests that authentication is probed with are asked for while these were not answered yet.
_TAKEN = range(200, 300)


@dataclass
class Payload:
    """One request as the engine sent it, the case it came from, and what the healthy endpoint makes of it."""

    case: Any
    phase: str
    prepared: requests.PreparedRequest
    request: Request
    answer: Any = None
    failures: frozenset[tuple[str, str]] = frozenset()


@dataclass
class Switch:
    """An application that stands for whichever endpoint is tried at the moment."""

    base: str
    rooted: tuple[str, ...]
    app: Any = None

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        if path.startswith(self.base) and path[len(self.base) :] in self.rooted:
            # One base URL is all that Schemathesis is given; a token endpoint may lie elsewhere on its host.
            path = path[len(self.base) :]
            scope = scope | {"path": path, "raw_path": path.encode()}
        await self.app(scope, receive, send)


@dataclass
class Found:
    """Whether a fault was found, by how many requests of which phase first, and as which failed check."""

    phase: str = ""
    check: str = ""
    sent: int = 0


@dataclass
class Outsider:
    """Schemathesis for one provider. ``seconds`` and ``counts`` are of its genuine run, by phase."""

    pack: Any
    account: Any
    healthy: Any
    instant: Any
    max_examples: int
    phases: tuple[str, ...] = PHASES
    payloads: list[Payload] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self):
        main = self.pack.main
        self.switch = Switch(main.base_path, tuple(each.path for each in self.pack.operations if each.root))
        self.vault = Vault(credentials(self.pack))
        self.headers = {
            "Authorization" if name.lower() == "authorization" else name: self.vault.fill(value)
            for name, value in self.pack.auth.credentials[0].headers.items()
        }

    # What it sends

    def schema(self, phases=None):
        """The composed document of the pack, made known to Schemathesis with its best settings."""
        load_all_checks()
        now = self.instant
        # Documented ages of orders are beyond JSON Schema; dates near now keep valid payloads valid.
        recent = st.integers(0, 40 * 24).map(lambda hours: f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}")
        schemathesis.openapi.format("date-time", recent)
        made = document(self.pack, self.account, now, self.vault)
        schema = schemathesis.openapi.from_dict(made, config=SchemathesisConfig(seed=1))
        schema.app = self.switch
        schema.location = f"{HOST}/openapi.json"
        base = HOST + self.switch.base
        schema.config.update(base_url=base, headers=self.headers, continue_on_failure=True)
        schema.config.generation.update(max_examples=self.max_examples, no_shrink=True)
        for each in PHASES:
            getattr(schema.config.phases, each).enabled = each in (phases or self.phases)
        return schema

    def genuine(self, behaviour, phases=None):
        """A run of the engine as it is: every case with its request, and the checks that failed."""
        self.switch.app = self._app(behaviour)
        schema = self.schema(phases)
        started = time.perf_counter()
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                took, started = time.perf_counter() - started, time.perf_counter()
                yield event.phase.value, event.recorder, took

    def generate(self):
        """Let the engine run once and keep what it sent, apart from what its checks sent of their own accord."""
        for phase, recorder, took in self.genuine(self.healthy):
            self.seconds[phase] = self.seconds.get(phase, 0.0) + took
            self.counts[phase] = self.counts.get(phase, 0) + len(recorder.interactions)
            for name, interaction in recorder.interactions.items():
                node = recorder.cases[name]
                if node.parent_id is None:
                    self.payloads.append(_payload(node.value, phase, interaction.request))
        # Coverage first: what it finds alone is told apart from what the other phases add.
        self.payloads.sort(key=lambda each: each.phase != "coverage")
        transport = self._transport(self.healthy)
        for each in self.payloads:
            each.answer = transport.send(each.request, "", "", self.instant).response
            each.failures = self.judged(each, each.answer)
        return self

    # How it judges

    def find(self, behaviour) -> Found:
        """Send its requests to an endpoint until a check fails that does not fail on the healthy one."""
        transport = self._transport(behaviour)
        probed = set()
        for count, each in enumerate(self.payloads, 1):
            answer = transport.send(each.request, "", "", self.instant).response
            label = each.case.operation.label
            first = answer.status in _TAKEN and label not in probed
            if first:
                # Checks of authentication ask again without credentials: once for each operation.
                probed.add(label)
            if first or _told(answer) != _told(each.answer):
                new = self.judged(each, answer) - each.failures
                if new:
                    return Found(each.phase, min(new)[0], count)
        return Found(sent=len(self.payloads))

    def alarms(self, behaviour, change=lambda _request, answer: answer):
        """Failed checks by operation, of every request to an endpoint that is as documented."""
        transport = self._transport(behaviour)
        found = set()
        for each in self.payloads:
            answer = change(each.request, transport.send(each.request, "", "", self.instant).response)
            failed = each.failures if _told(answer) == _told(each.answer) else self.judged(each, answer)
            found |= {(check, each.case.operation.label) for check, _ in failed}
        return found

    def judged(self, payload, answer) -> frozenset[tuple[str, str]]:
        """The failures of all checks of Schemathesis for one answer, by check and title."""
        kept: dict[str, list[str]] = {}
        for name, value in answer.headers:
            kept.setdefault(name, []).append(value)
        response = Response(answer.status, kept, answer.body, payload.prepared, 0.0, verify=True)
        try:
            payload.case.validate_response(response, headers=self.headers, transport_kwargs={"headers": self.headers})
        except FailureGroup as group:
            return frozenset((type(each).__name__, each.title) for each in group.exceptions)
        return frozenset()

    def _app(self, behaviour):
        return Endpoint(self.pack, self.account, behaviour, clock=lambda: self.instant).app()

    def _transport(self, behaviour):
        self.switch.app = self._app(behaviour)
        return AppTransport(self.switch, "", Vault({}))


def document(pack, account, now, vault):
    """The composed document with the account's credentials, narrowed to what it may name: no provider's schema says that."""
    made = deepcopy(composed.compose(pack, account, now))
    order = made["components"]["schemas"]["Order"]
    for rule in pack.reference.get("always", ()):
        place = rule.get("at")
        if not isinstance(place, str) or pack.revision not in rule.get("revision", [pack.revision]):
            continue
        node = _node(order, place)
        known = account.get(rule.get("fact", rule.get("held", ""))) or []
        values = [each.get(place.rpartition("/")[2]) if isinstance(each, dict) else each for each in known]
        if node is not None and values and rule["rule"] in ("known-value", "known-product", "settlement-held"):
            node["enum"] = list(dict.fromkeys(values))
        if node is not None and rule["rule"] == "at-least":
            node["minimum"] = rule["least"]
    for header in pack.reference.get("headers", ()):
        operation = made["paths"][pack.main.path][pack.main.method.lower()]
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == header["name"] and account.get(header["fact"]):
                parameter["schema"]["enum"] = [account.get(header["fact"])]
    _nullable(order)
    for each in pack.operations:
        if each.body and not each.order and each.content_type.endswith("json"):
            body = made["paths"][each.path][each.method.lower()]["requestBody"]["content"][each.content_type]
            body["examples"] = {"account": {"value": {key: vault.fill(str(value)) for key, value in each.body.items()}}}
    return made


def _nullable(node):
    """A format beside several types written as alternatives: of the former, Schemathesis makes texts without the format."""
    for each in [*node.values()] if isinstance(node, dict) else node if isinstance(node, list) else ():
        _nullable(each)
    if isinstance(node, dict) and isinstance(node.get("type"), list) and "format" in node:
        kept = {key: node.pop(key) for key in [*node] if key not in ("description", "title")}
        kinds = kept.pop("type")
        node["anyOf"] = [{"type": kind} | (kept if kind == "string" else {}) for kind in kinds]


def _node(schema, place):
    for part in place.split("/")[1:]:
        schema = (schema or {}).get("items") if part == "*" else (schema or {}).get("properties", {}).get(part)
    return schema


def _payload(case, phase, sent) -> Payload:
    headers = {name: values[0] for name, values in sent.headers.items()}
    prepared = requests.Request(sent.method, sent.uri, headers=headers).prepare()
    prepared.headers = requests.structures.CaseInsensitiveDict(headers)
    prepared.body = sent.body
    parts = urlsplit(sent.uri)
    own = tuple(
        (name.lower(), value) for name, value in headers.items() if name.lower() not in ("host", "content-length")
    )
    made = Request(sent.method, unquote(parts.path), parts.query, own, sent.body, root=True)
    return Payload(case, phase, prepared, made)


def _told(answer):
    return answer.status, tuple(each for each in answer.headers if each[0] != "date"), answer.body
