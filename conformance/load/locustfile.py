"""
For ``locust -f``: our callers for people who drive Locust themselves, with its page, shapes and machines.

What is asked for stands in the environment, by the names of the options of ``conformance load``: CONFORMANCE_PROVIDER,
CONFORMANCE_ENDPOINT, CONFORMANCE_ACCOUNT, CONFORMANCE_ALLOW, CONFORMANCE_MIX, CONFORMANCE_BATCH_SIZES,
CONFORMANCE_ORDERS_PER_SECOND and CONFORMANCE_USERS. Violations show as failures; what is stored is not read back.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from typing import Any

from conformance.load import engine

# isort: split
from conformance import providers, safety, target
from conformance.errors import UserError
from conformance.load import settings


def _setting(name: str, otherwise: str = "") -> str:
    return os.environ.get(f"CONFORMANCE_{name}", otherwise)


def _target() -> target.Target:
    """The endpoint that the environment names. Raises UserError."""
    name, endpoint = _setting("PROVIDER"), _setting("ENDPOINT")
    if not name or not endpoint:
        raise UserError("set CONFORMANCE_PROVIDER and CONFORMANCE_ENDPOINT")
    allowed = safety.parse_allowed(_setting("ALLOW"))
    safety.permit(providers.load(name), safety.check_endpoint(endpoint), allowed, frozenset({"load"}))
    return target.prepare(
        target.Options(name, endpoint=endpoint, account=_setting("ACCOUNT"), allowed=allowed)
    )  # fmt: skip


def _load(made: target.Target) -> settings.Load:
    return settings.Load(
        seed=target.DEFAULT_SEED,
        # Every process has a token of its own, so that its orders are nobody else's.
        token=secrets.token_hex(3),
        instant=datetime.now(UTC).isoformat(),
        orders_per_second=float(_setting("ORDERS_PER_SECOND", "0")),
        reject=settings.mix(_setting("MIX", "accept=0.9,reject=0.1")),
        sizes=settings.sizes(_setting("BATCH_SIZES"), made.suite.provider.main),
        users=int(_setting("USERS", "10")),
        races=0.0,
    )


try:
    _made = _target()
    session = engine.Session(_made)
except UserError as error:
    if __name__ != "conformance.load.locustfile":
        raise SystemExit(f"conformance: {error}") from None
    # Nobody drives it yet: it is merely looked at.
    session = None  # type: ignore[assignment]

Caller: Any = engine.caller(session)


def _begin(environment: Any, **_: Any) -> None:
    if isinstance(environment.runner, engine.locust.runners.MasterRunner):
        return
    worker = session.prepare(_load(_made), max(getattr(environment.runner, "worker_index", 0), 0))

    def heard(milliseconds: float, size: int, trouble: str) -> None:
        wrong = OSError(trouble) if trouble else None
        environment.events.request.fire(
            request_type="POST", name=f"batch of {size}", response_time=milliseconds, response_length=0, exception=wrong
        )

    worker.heard = heard
    worker.begin()


def _end(environment: Any, **_: Any) -> None:
    worker = session.worker
    if worker is None:
        return
    worker.conclude()
    for name, verdicts in worker.report(last=True)["tally"]["checks"].items():
        for _each in range(verdicts.get("violation", 0)):
            environment.events.request.fire(
                request_type="judged", name=name, response_time=0, response_length=0, exception=AssertionError("violation")
            )  # fmt: skip


engine.locust.events.test_start.add_listener(_begin)  # type: ignore[no-untyped-call]
engine.locust.events.test_stop.add_listener(_end)  # type: ignore[no-untyped-call]
