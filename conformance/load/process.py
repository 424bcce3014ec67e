"""A process of a load run: ``python -m conformance.load.process`` with what it has to do on standard input."""

from __future__ import annotations

import json
import sys

from conformance.errors import UserError


def main() -> None:
    """Do what standard input says; a user's mistake is one line and exit 4."""
    try:
        # First of all: what it changes has to be changed before anybody uses it.
        from conformance.load import engine  # noqa: PLC0415
    except ImportError as error:
        _complain(f"conformance load needs Locust: pip install 'bulk-order-conformance[load]' ({error})")
    from conformance import target  # noqa: PLC0415
    from conformance.load import settings  # noqa: PLC0415
    from conformance.transport import Files  # noqa: PLC0415

    told = json.load(sys.stdin)
    options = told["options"] | {
        "allowed": frozenset(told["options"]["allowed"]),
        "headers": tuple(tuple(each) for each in told["options"]["headers"]),
        "files": Files(*told["options"]["files"]),
    }
    try:
        made = target.prepare(target.Options(**options))
        engine.serve(settings.Place(**told["place"]), settings.from_json(told["load"]), made, told["out"])
    except UserError as error:
        _complain(str(error))


def _complain(text: str) -> None:
    print(f"conformance: {text}", file=sys.stderr)  # noqa: T201  # for the process that started this one
    sys.exit(4)


if __name__ == "__main__":
    main()
