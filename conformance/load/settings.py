"""What a load run is asked to do, as plain values that go from process to process."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from conformance.errors import UserError, nearest

if TYPE_CHECKING:
    from conformance.operations import Operation
    from conformance.providers import Provider

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_MOST_SIZES = 16


@dataclass(frozen=True, slots=True)
class Load:
    """
    The load itself: the same for every worker, and told to them by the master.

    ``orders_per_second`` are those of all workers together, 0 for as many as they can; ``reject`` is the share of
    batches with one bad order. ``quota`` is how many orders one worker may send, 0 for any number; ``instant`` the
    moment that orders are made for (ISO 8601); ``races`` how many seconds lie between two races for one key.
    """

    seed: int
    token: str = ""
    instant: str = ""
    orders_per_second: float = 100.0
    duration: float = 60.0
    reject: float = 0.1
    sizes: tuple[int, ...] = ()
    users: int = 10
    spawn_rate: float = 100.0
    quota: int = 0
    races: float = 0.5
    stop_on_violation: bool = False
    timeout: float = 30.0
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """
    What one process is: ``alone``, ``master`` or ``worker``, and where the master is.

    The workers of a master that is ``near`` are started with it, on its own machine.
    """

    role: str = "alone"
    host: str = "127.0.0.1"
    port: int = 5557
    web: int = 0
    near: bool = False


def to_json(load: Load) -> dict[str, Any]:
    """The load as JSON."""
    return asdict(load)


def from_json(data: dict[str, Any]) -> Load:
    """The load that ``to_json`` wrote."""
    return replace(Load(**data), sizes=tuple(data["sizes"]))


def seconds(text: str) -> float:
    """A duration such as ``90``, ``90s``, ``10m`` or ``1h30m``. Raises UserError."""
    found = _DURATION.fullmatch(text.strip())
    hours, minutes, rest = found.groups() if found and text.strip() else ("", "", "")
    total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0)
    if total <= 0:
        raise UserError(f"--duration={text}: write for example 90s, 10m or 1h30m")
    return total


def mix(text: str) -> float:
    """The share of batches with a bad order in ``accept=0.9,reject=0.1``. Raises UserError."""
    shares: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, _, value = part.partition("=")
        if name not in ("accept", "reject"):
            raise UserError(f"--mix={text}: there is no share {name!r}; {nearest(name, ('accept', 'reject'))}")
        try:
            shares[name] = float(value)
        except ValueError:
            raise UserError(f"--mix={text}: {value!r} is no number; write for example accept=0.9,reject=0.1") from None
    total = sum(shares.values())
    if not shares or not 0 < total < float("inf") or min(shares.values()) < 0:
        raise UserError(f"--mix={text}: write for example accept=0.9,reject=0.1")
    # Without an accepted batch nothing is a control, and no refusal proves anything.
    if not shares.get("accept"):
        raise UserError(f"--mix={text}: without accepted batches no refusal proves anything; leave a share for accept")
    return shares.get("reject", 0.0) / total


def sizes(text: str, operation: Operation) -> tuple[int, ...]:
    """The sizes of batches in ``1,10,100``, or those that suit the operation. Raises UserError."""
    least, most = max(operation.batch_min, 1), operation.batch_max
    if not text:
        usual = {1, 10, most or 10}
        return tuple(sorted(each for each in usual if least <= each <= (most or each)))
    try:
        found = sorted({int(each) for each in text.split(",")})
    except ValueError:
        raise UserError(f"--batch-sizes={text}: write numbers of orders, for example 1,10,100") from None
    if found[0] < least or (most and found[-1] > most):
        upper = f" and {most}" if most else ""
        raise UserError(f"--batch-sizes={text}: a valid batch has between {least}{upper} orders")
    if len(found) > _MOST_SIZES:
        raise UserError(f"--batch-sizes={text}: at most {_MOST_SIZES} sizes")
    return tuple(found)


def check_rates(provider: Provider, load: Load) -> None:
    """Raise UserError where a load is more than the documentation allows a caller."""
    mean = sum(load.sizes) / len(load.sizes)
    for rate in provider.rates:
        if rate.methods and provider.main.method not in rate.methods:
            continue
        allowed = rate.requests / rate.seconds
        asked = load.orders_per_second / mean
        if not load.orders_per_second or asked > allowed:
            most = allowed * mean
            raise UserError(
                f"{provider.name}: documented are at most {rate.requests} requests in {rate.seconds:g} s, which are"
                f" {most:.0f} orders a second in these batches; lower --orders-per-second, send larger batches, or"
                " see with --beyond-limits how it throttles"
            )
