"""
How fast requests are sent, as ratios in one run.

``python benchmarks/sending.py``: our transport and a full run, with one request at a time, beside a
bare urllib3 loop that sends the same bodies to an equal endpoint; and full runs at 100 ms of latency
with 16 requests in flight beside requests × latency / 16. The endpoints are processes of their own
on loopback.
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
from conformance.scrub import Vault
from conformance.transport import HttpTransport

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


def filled(records, url, pack):
    """The requests of a run with the secrets in place, ready for anybody to send."""
    vault = Vault(credentials(pack), pack.secret_members)
    for record in records:
        request = record.exchange.request
        headers = {name: vault.fill(value) for name, value in request.headers}
        query = f"?{vault.fill(request.query)}" if request.query else ""
        yield request.method, url + request.path + query, request.body, headers


def bare_loop(records, url, pack):
    """The seconds that urllib3 takes to send the requests one after the other."""
    pool = urllib3.PoolManager(maxsize=1, retries=False)
    ready = list(filled(records, url, pack))
    started = time.perf_counter()
    for method, place, body, headers in ready:
        _ = pool.request(method, place, body=body, headers=headers, redirect=False).data
    return time.perf_counter() - started


def our_loop(records, url, pack):
    """The seconds that our transport takes for the same."""
    transport = HttpTransport(url, Vault(credentials(pack), pack.secret_members))
    started = time.perf_counter()
    for record in records:
        exchange = record.exchange
        transport.send(exchange.request, exchange.operation, exchange.id, exchange.sent_at)
    seconds = time.perf_counter() - started
    transport.close()
    return seconds


def main():
    os.chdir(tempfile.mkdtemp())
    for provider in ("atlast", "sendcloud"):
        pack = providers.load(provider)
        with endpoint(provider, 0) as url:
            done, seconds = full_run(provider, url, 1)
        with endpoint(provider, 0) as url:
            bare = bare_loop(done.records, url, pack)
        with endpoint(provider, 0) as url:
            ours = our_loop(done.records, url, pack)
        print(
            f"{provider}: {len(done.records)} requests; bare urllib3 {bare:.2f} s, our transport {ours:.2f} s (ratio"
            f" {bare / ours:.2f}), full run with making and judging {seconds:.2f} s (ratio {bare / seconds:.2f})"
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
