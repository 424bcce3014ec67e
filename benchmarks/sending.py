"""
How fast requests are sent, as ratios in one run.

``python benchmarks/sending.py``: a full run with one request at a time beside a bare urllib3 loop
that sends the same bodies to an equal endpoint, and full runs at 100 ms of latency with 16 requests
in flight beside requests × latency / 16. The endpoints are processes of their own on loopback.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import urllib3

from conformance import conduct, providers, target
from conformance.reference.app import credentials

LATENCY = 0.1
LANES = 16
ENDPOINT = """
import asyncio, sys
from conformance import providers
from conformance.reference import app, behaviour, server
pack = providers.load(sys.argv[1])
inner = app.Endpoint(pack, providers.reference_account(pack), behaviour.healthy(pack)).app()

async def late(scope, receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(float(sys.argv[2]))
    await inner(scope, receive, send)

class Late:
    provider = pack
    def app(self):
        return late if float(sys.argv[2]) else inner

with server.running(Late()) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def endpoint(provider, latency):
    process = subprocess.Popen(
        [sys.executable, "-c", ENDPOINT, provider, str(latency)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def full_run(provider, url, lanes):
    """A full run; the records, and the seconds that it took."""
    pack = providers.load(provider)
    for name, value in credentials(pack).items():
        for variable in pack.auth.variables.get(name, ()):
            os.environ[variable] = value
    account = pack.folders.fixtures / "account.toml"
    options = target.Options(provider, url, account=str(account) if account.is_file() else "", concurrency=lanes)
    made = target.prepare(options)
    names = [case.id for case in made.suite.cases]
    started = time.perf_counter()
    done = conduct.run(made, names)
    seconds = time.perf_counter() - started
    verdicts = {str(each.verdict) for each in done.judgements.values()}
    assert not verdicts & {"violation", "inconclusive"}, verdicts
    return done, seconds


def bare_loop(records, url, pack):
    """The seconds that urllib3 takes to send the same requests one after the other."""
    pool = urllib3.PoolManager(maxsize=1, retries=False)
    known = credentials(pack)
    filled = []
    for record in records:
        request = record.exchange.request
        headers = dict(request.headers)
        for name, value in known.items():
            headers = {key: text.replace(f"{{{{{name}}}}}", value) for key, text in headers.items()}
        filled.append(
            (request.method, url + request.path + (f"?{request.query}" if request.query else ""), request.body, headers)
        )
    started = time.perf_counter()
    for method, place, body, headers in filled:
        _ = pool.request(method, place, body=body, headers=headers, redirect=False).data
    return time.perf_counter() - started


def main():
    os.chdir(tempfile.mkdtemp())
    for provider in ("atlast", "sendcloud"):
        pack = providers.load(provider)
        with endpoint(provider, 0) as url:
            done, seconds = full_run(provider, url, 1)
        with endpoint(provider, 0) as url:
            bare = bare_loop(done.records, url, pack)
        rate, fastest = len(done.records) / seconds, len(done.records) / bare
        print(
            f"{provider}: {len(done.records)} requests, {rate:.0f} a second with judging; bare urllib3 {fastest:.0f};"
            f" ratio {rate / fastest:.2f}"
        )
    for provider in ("atlast", "sendcloud"):
        with endpoint(provider, LATENCY) as url:
            done, seconds = full_run(provider, url, LANES)
        count = sum(1 + len(each.earlier) for each in done.records)
        ideal = count * LATENCY / LANES
        print(
            f"{provider}: {count} requests with {LATENCY * 1000:.0f} ms latency, {LANES} in flight: {seconds:.1f} s,"
            f" {seconds / ideal:.2f} × of {ideal:.1f} s"
        )


if __name__ == "__main__":
    main()
