"""
Drawing examples of schemas with Schemathesis, in a process of its own. The only door to it and to Hypothesis.

What is drawn depends on schemas, counts and seed alone. In the process of a test session it would also depend on the
modules that are loaded there, from which Hypothesis takes constants, and it would leave files in the current folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, cast

from conformance.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model import Json, JsonObject

_SECONDS = 300
_MISSING = "--explore needs an extra: pip install 'bulk-order-conformance[explore]'"


def draw(schemas: Sequence[tuple[JsonObject, bool, int]], seed: int) -> list[list[Json]]:
    """
    Values of each schema, as many as asked for at most; those marked True are mutated so that they are wrong.

    Raises UserError where the extra is not installed.
    """
    if importlib.util.find_spec("schemathesis") is None:
        raise UserError(_MISSING)
    asked = json.dumps({"schemas": schemas, "seed": seed})
    paths = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)  # noqa: PTH100  # not resolved
    known = {"PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(  # ourselves
                [sys.executable, "-m", "conformance.exploration.drawing"],
                input=asked, capture_output=True, text=True, encoding="utf-8", timeout=_SECONDS, check=False,
                cwd=folder, env={**os.environ, **known},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UserError(f"--explore: no examples in {_SECONDS} s; ask for fewer") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise UserError(f"--explore: Schemathesis makes no examples here ({said[:200]})")
    return cast("list[list[Json]]", json.loads(done.stdout))


def main() -> None:
    """Read what is asked for, and print what was drawn, as JSON."""
    asked = json.load(sys.stdin)
    _forget_constants()
    document = _document([schema for schema, _, _ in asked["schemas"]])
    drawn = _drawn(document, [tuple(each[1:]) for each in asked["schemas"]], asked["seed"])
    json.dump(drawn, sys.stdout)


def _forget_constants() -> None:
    """Keep Hypothesis from drawing constants of our own modules: their next version would draw other values."""
    inner: Any = importlib.import_module("hypothesis.internal.conjecture.providers")
    if hasattr(inner, "_get_local_constants"):
        empty = inner.Constants()
        inner._get_local_constants = lambda: empty  # noqa: SLF001


def _document(schemas: Sequence[JsonObject]) -> dict[str, Any]:
    paths = {
        f"/part/{index}": {
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
                "responses": {"default": {"description": ""}},
            }
        }
        for index, schema in enumerate(schemas)
    }
    return {"openapi": "3.1.0", "info": {"title": "parts of an order", "version": "1"}, "paths": paths}


def _drawn(document: dict[str, Any], asked: Sequence[tuple[bool, int]], seed: int) -> list[list[Any]]:
    import schemathesis  # noqa: PLC0415  # in a process of its own

    loaded = schemathesis.openapi.from_dict(document)
    modes = {False: schemathesis.GenerationMode.POSITIVE, True: schemathesis.GenerationMode.NEGATIVE}
    return [
        _of_one(loaded[f"/part/{index}"]["POST"].as_strategy(generation_mode=modes[wrong]), count, seed + index)
        for index, (wrong, count) in enumerate(asked)
    ]


def _of_one(strategy: Any, count: int, seed: int) -> list[Any]:
    import hypothesis  # noqa: PLC0415  # as above

    found: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def take(case: Any) -> None:
        try:
            found.append(json.loads(json.dumps(case.body, allow_nan=False)))
        except (TypeError, ValueError):
            # Bytes that are no JSON: the cases about malformed bodies are written by hand.
            return

    try:
        take()
    except hypothesis.errors.HypothesisException:
        # A schema of which nothing can be drawn: the others speak for themselves.
        return found
    return found


if __name__ == "__main__":
    main()
