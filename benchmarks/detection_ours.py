"""This suite against faulty endpoints and healthy variants: what a whole run shows, and what one within a budget."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

from conformance import envelope, providers
from conformance.model import Verdict
from conformance.reference import detection
from conformance.reference.app import Endpoint, credentials
from conformance.reference.behaviour import healthy
from conformance.reference.inprocess import AppTransport, Between, patience
from conformance.runner import Runner, Settings
from conformance.scrub import Vault
from conformance.target import DEFAULT_SEED, instant_of, token_of

# How a run shows a fault: all but the last three keep it from being conformant, or fail with --fail-on=advisory.
FOUND = ("violation", "elsewhere", "advisory", "control", "inconclusive")
CLASSES = {
    "dropped": "a constraint dropped",
    "loosened": "a constraint loosened by the least step",
    "tightened": "a constraint tightened by the least step",
    "refused": "an optional member refused",
    "demanded": "an optional member demanded",
    "null": "null taken, or refused where it is allowed",
    "left-out": "a member of an answer left out",
    "renamed": "a member of an answer renamed",
    "retyped": "a member of an answer of another type",
    "revalued": "a member of an answer of another value",
    "batch": "limits of batches, and orders by their position",
    "semantic": "rules in prose",
}
_ANSWERS = {
    "left-out": "left-out", "renamed": "renamed", "other-type": "retyped", "as-text": "retyped", "null": "retyped",
    "other-value": "revalued", "empty": "revalued", "out-of-range": "revalued",
}  # fmt: skip
_PLAIN = {
    "dropped": "dropped",
    "refused": "refused",
    "demanded": "demanded",
    "nullable": "null",
    "not-nullable": "null",
}
_LOOSER = {"looser", "fractions", "any-case", "included", "halved"}
_BATCH = (
    "look_at_first", "skip_last", "lone_orders_only", "skip_non_objects", "kept_when_refused", "outcomes", "index_by",
    "stopped_by_bad", "one_failure_for_all", "first_mistake_only", "alike_in_batch", "refused_left_out",
    "mixed_status", "all_refused_status", "lines_looked_at",
)  # fmt: skip


def class_of(fault, bench) -> str:
    """The class of a fault in the table."""
    if fault.kind == "hand-made":
        changed = fault.apply(bench.healthy)
        return "batch" if any(getattr(changed, name) != getattr(bench.healthy, name) for name in _BATCH) else "semantic"
    site = fault.id.partition("/")[2].rpartition("/")[0]
    place, _, keyword = site.rpartition(".")
    if keyword in ("minItems", "maxItems") and place == envelope.batch_site(bench.pack.main):
        return "batch"
    if fault.kind in _ANSWERS:
        return _ANSWERS[fault.kind]
    if fault.kind in _PLAIN:
        return _PLAIN[fault.kind]
    below = keyword.lower().removeprefix("exclusive").startswith("min")
    less = fault.kind in ("one-less", "a-hundredth-less")
    steps = fault.kind in ("one-less", "one-more", "a-hundredth-less", "a-hundredth-more")
    return "loosened" if fault.kind in _LOOSER or (steps and less is below) else "tightened"


@dataclass
class Ours:
    """The suite for one provider; budgets are numbers of requests."""

    name: str
    budgets: tuple[int, ...]

    def __post_init__(self):
        self.bench = detection._bench(self.name)  # noqa: SLF001  # the one that the pages are measured on
        self.instant = instant_of(DEFAULT_SEED)

    def run(self, behaviour, *, budget=0, change=None, suite=None):
        """A run in-process with the settings that the pages of detection are made with."""
        made = suite or self.bench.suite
        app = Endpoint(self.bench.pack, made.account, behaviour, clock=lambda: self.instant).app()
        transport = AppTransport(app, self.bench.pack.main.base_path, Vault(credentials(self.bench.pack)))
        settings = Settings(
            DEFAULT_SEED, token_of(DEFAULT_SEED), instant=self.instant, clean_up=False, patience=patience, budget=budget
        )
        return Runner(made, Between(transport, change) if change else transport, settings).run(
            [each.id for each in made.cases]
        )

    def find(self, fault) -> tuple[str, ...]:
        """How a whole run and one within each budget show a fault, in words of the pages of detection."""
        rows = detection.measure_some(self.name, fault.requirement, [fault.id], others=False)
        made = self.bench._suite_for(fault.requirement)  # noqa: SLF001  # as above
        behaviour = fault.apply(self.bench.healthy)
        runs = [self.run(behaviour, budget=each, suite=made) for each in self.budgets]
        return rows[0].noticed, *(shown(each, fault.requirement) for each in runs)

    def cost(self, budget) -> tuple[int, float, int]:
        """Requests and seconds of a run beyond start-up, and how many cases it judges."""
        started = time.perf_counter()
        done = self.run(self.bench.healthy, budget=budget)
        took = time.perf_counter() - started
        return sum(1 + len(each.earlier) for each in done.records), took, len(done.selected)

    def alarms(self, behaviour, change) -> list[str]:
        """Requirements that a run of an endpoint without a fault speaks against."""
        done = self.run(behaviour, change=change)
        wrong = (Verdict.VIOLATION, Verdict.ADVISORY, Verdict.INCONCLUSIVE)
        chosen = set(done.selected)
        found = {
            each.requirement.id
            for each in self.bench.suite.cases
            if each.id in chosen and done.judgements[each.id].verdict in wrong
        }
        return sorted(found)


def shown(run, requirement) -> str:
    """How a run shows a fault of a requirement, best first; empty when it does not."""
    found = {}
    for each in run.suite.cases:
        if each.id in run.judgements and each.id in run.selected:
            found.setdefault(run.judgements[each.id].verdict, set()).add(each.requirement.id)
    if red := found.get(Verdict.VIOLATION):
        return "violation" if requirement in red else "elsewhere"
    if Verdict.ADVISORY in found:
        return "advisory"
    if run.stopped:
        return "control"
    return "inconclusive" if Verdict.INCONCLUSIVE in found else ""


# Endpoints that do what is documented in ways of their own


def variants(name):
    """Healthy variants by name: a behaviour and a change to every answer."""
    pack = providers.load(name)
    same = lambda _request, answer: answer  # noqa: E731
    lenient, strict = healthy(pack), healthy(pack, strict=True)
    made = {
        "lenient": (lenient, same),
        "strict": (strict, same),
        "members in another order": (lenient, _json(lambda value: _deep(value, _reversed))),
        "indented JSON": (lenient, _json(lambda value: value, indent=2)),
        "escaped JSON": (lenient, _json(lambda value: value, ensure_ascii=True)),
        "more headers": (lenient, _headed),
    }
    if pack.main.envelope != "named":
        made["more members in answers"] = (lenient, _json(lambda value: _deep(value, _longer)))
    if not pack.main.refusal_status and pack.main.mixed_batch != "per-order":
        for status in (409, 422):
            made[f"refusals with {status}"] = (
                lenient,
                lambda request, answer, status=status: (
                    replace(answer, status=status) if answer.status == 400 and request.method == "POST" else answer
                ),
            )
            made[f"strict, refusals with {status}"] = (strict, made[f"refusals with {status}"][1])
    return made


def _json(change, **how):
    def apply(_request, answer):
        if not answer.body or "json" not in answer.header("content-type"):
            return answer
        return replace(answer, body=json.dumps(change(json.loads(answer.body)), **how).encode())

    return apply


def _deep(value, change):
    if isinstance(value, dict):
        return change({key: _deep(each, change) for key, each in value.items()})
    return [_deep(each, change) for each in value] if isinstance(value, list) else value


def _reversed(members):
    return dict(reversed(members.items()))


def _longer(members):
    return members | {"xNew": 1}


def _headed(_request, answer):
    return replace(answer, headers=(*answer.headers, ("x-request-id", "1"), ("vary", "accept"), ("x-powered-by", "x")))
