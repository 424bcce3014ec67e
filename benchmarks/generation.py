"""
How fast valid orders are made, beside others who make instances of a JSON Schema: python benchmarks/generation.py [most]

Instances of the order schemas of the four packs, one process each, by seconds of CPU: ours, jsf, hypothesis-jsonschema, and Schemathesis
where it is installed. Each instance is held against the schema by jsonschema, formats included, and by jsonschema-rs.
hypothesis-jsonschema 0.23.1 breaks with current versions of Hypothesis, so it runs with 6.98.0, and jsf beside it, in an
environment made for the occasion. Then peak memory for 1,000 orders and ten times as many, up to ``most`` (1,000,000).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import jsonschema
import jsonschema_rs

from conformance import providers
from conformance.operations import order_schema

NAMES = ("atlast", "sendcloud", "ezcards", "centra")
SECONDS = 3
PINNED = ("hypothesis-jsonschema==0.23.1", "hypothesis==6.98.0", "jsf==0.11.2")
# Each makes instances for so many seconds: reads name and schema, writes seconds and instances.
COMMON = """
import json, sys, time
name, schema, limit = json.load(sys.stdin)
def timed(make):
    # A few at a time, so that what is kept for the check does not slow down what is made.
    texts, count, taken = [], 0, 0.0
    make()
    while taken < limit:
        started = time.process_time()
        made = [make() for _ in range(20)]
        taken += time.process_time() - started
        count += 20
        texts += [json.dumps(each) for each in made] if len(texts) < 20_000 else ()
    return taken, count, texts
def drawn(strategy, count):
    # Hypothesis cannot be asked for one at a time: so many are drawn, until the time is over.
    import warnings
    from hypothesis import HealthCheck, Phase, given, settings
    warnings.simplefilter("ignore")
    made, started = [], time.process_time()
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def keep(value):
        if time.process_time() - started > limit:
            raise TimeoutError
        made.append(json.dumps(value))
    try:
        keep()
    except BaseException as error:
        if not isinstance(error, TimeoutError):
            raise
    return time.process_time() - started, len(made), made
"""
MAKERS = {
    "ours": """
from datetime import UTC, datetime
from conformance import generation, providers
account = providers.reference_account(providers.load(name))
source = generation.Source(generation.Wish(name, account, datetime.now(UTC), start="START"))
numbers = iter(range(10**9))
result = timed(lambda: source.order(next(numbers)))
""",
    "jsf": """
from jsf import JSF
result = timed(JSF(schema).generate)
""",
    "hypothesis-jsonschema": """
from hypothesis_jsonschema import from_schema
result = drawn(from_schema(schema), 10_000)
""",
    "Schemathesis": """
import schemathesis
body = {"required": True, "content": {"application/json": {"schema": schema}}}
paths = {"/orders": {"post": {"requestBody": body, "responses": {"200": {"description": "OK"}}}}}
described = schemathesis.openapi.from_dict({"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths})
result = drawn(described["/orders"]["POST"].as_strategy().map(lambda case: case.body), 10_000)
""",
}
DONE = "\njson.dump(result, sys.stdout)\n"
MEMORY = """
import re, resource, sys
from pathlib import Path
from datetime import UTC, datetime
from conformance import generation, providers
wish = generation.Wish("atlast", providers.reference_account(providers.load("atlast")), datetime.now(UTC))
size = sum(len(block) for _, block in generation.blocks(wish, int(sys.argv[1]), generation.cores()))
# The peak that getrusage tells of a process itself may be its parent's.
own = re.search("VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(size, own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def older(folder):
    """The Python of an environment in which jsf and hypothesis-jsonschema work."""
    venv.create(folder, with_pip=True)
    python = Path(folder, "Scripts" if os.name == "nt" else "bin", "python")
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PINNED],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return python


def made_by(python, code, name, schema):
    """Instances a second, and the instances; None where that maker does not work here."""
    done = subprocess.run(
        [python, "-c", COMMON + code + DONE],
        input=json.dumps([name, schema, SECONDS]),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(f"  {done.stderr.strip().splitlines()[-1][:140]}")
        return None
    seconds, count, made = json.loads(done.stdout)
    return count / seconds, list(map(json.loads, made))


def valid(schema, made):
    """The share of valid instances, by two libraries; the slower one looks at no more than 500."""
    slow = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    fast = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    some = made[:: max(len(made) // 500, 1)]
    return sum(map(slow.is_valid, some)) / len(some), sum(map(fast.is_valid, made)) / len(made)


def speed(python):
    print(f"{'provider':<11}{'maker':<24}{'a second':>10}{'valid':>9}{'(rs)':>9}{'valid/s':>10}{'ours is':>10}")
    rows = [("ours, full", sys.executable, MAKERS["ours"].replace("START", "full"))]
    rows = [("ours", sys.executable, MAKERS["ours"].replace("START", "plain")), *rows]
    rows += [
        (maker, python if maker in ("jsf", "hypothesis-jsonschema") else sys.executable, MAKERS[maker])
        for maker in list(MAKERS)[1:]
    ]
    for name in NAMES:
        main = providers.load(name).main
        schema = order_schema(main.envelope, main.wrapper, main.request_schema)
        best = 0.0
        for maker, interpreter, code in rows:
            found = made_by(interpreter, code, name, schema)
            if found is None or not found[1]:
                print(f"{name:<11}{maker:<24}{'does not work here':>38}")
                continue
            rate, made = found
            first, second = valid(schema, made)
            best = best or rate
            good = rate * min(first, second)
            ratio = f"{best / good:>8,.1f} ×" if good else "       ∞"
            print(f"{name:<11}{maker:<24}{rate:>10,.1f}{first:>9.1%}{second:>9.1%}{good:>10,.1f}{ratio}", flush=True)


def memory(most):
    print(f"{'orders':>10}{'MB made':>10}{'s':>8}{'MB in memory':>14}{'of each helper':>16}")
    count = 1000
    while count <= most:
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", MEMORY, str(count)], check=True, capture_output=True, text=True)
        size, own, helper = map(int, done.stdout.split())
        seconds = time.perf_counter() - started
        print(f"{count:>10,}{size / 1e6:>10,.1f}{seconds:>8.1f}{own / 1024:>14.0f}{helper / 1024:>16.0f}", flush=True)
        count *= 10


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        speed(older(folder))
    memory(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
