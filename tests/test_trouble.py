"""Trouble on the way: no false alarm, no order sent twice, bounded time and memory, and no secret told."""

import base64
import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from trouble import canaries, issued

from conformance import providers

# Quick, and with orders that have to be taken and orders that have to be refused.
FEW = ("-k", "reference or quantity")
LOUD = ("-vvv", "--showlocals", "--tb=long", "--log-level=DEBUG", "-o", "log_cli=true", "-rA")
MEMORY_MB = 300
# Each process takes so long at least: starting, collecting, and whatever else the machine is at.
OVERHEAD_S = 40
# Where the run writes how much memory it needed.
PEAK = """
import atexit, resource
from pathlib import Path

@atexit.register
def tell():
    # What getrusage says is that of the parent, where that is larger: the process was forked from it.
    lines = Path("/proc/self/status").read_text().splitlines() if Path("/proc/self/status").exists() else []
    peak = next((int(each.split()[1]) for each in lines if each.startswith("VmHWM")), None)
    Path("peak").write_text(str(peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


@dataclass
class Endpoint:
    """A trouble-making endpoint; ``counts`` is what it tells in the end."""

    provider: str
    url: str
    counts: dict = field(default_factory=dict)


@contextmanager
def serving(provider, kind, *options):
    """A trouble-making endpoint in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("trouble.py")), provider, kind, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        endpoint = Endpoint(provider, process.stdout.readline().strip())
        try:
            yield endpoint
            origin = "/".join(endpoint.url.split("/")[:3])
            with urllib.request.urlopen(f"{origin}/trouble", timeout=10) as answer:
                endpoint.counts = json.load(answer)
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Ran:
    """A run with what it took; ``outcome`` is as conftest has it."""

    outcome: object
    counts: dict
    seconds: float
    peak_mb: float

    @property
    def verdicts(self):
        return self.outcome.verdicts

    def with_verdict(self, *verdicts):
        return {name for name, verdict in self.verdicts.items() if verdict in verdicts}


@pytest.fixture(scope="module")
def run(run_pytest, tmp_path_factory):
    """Run the suite against a kind of trouble."""

    def run(kind, *arguments, options=(), provider="atlast", client=False):
        folder = tmp_path_factory.mktemp(kind)
        (folder / "peak_memory.py").write_text(PEAK)
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
        started = time.monotonic()
        with serving(provider, kind, *options) as endpoint:
            outcome = run_pytest(
                folder,
                f"--provider={provider}",
                f"--endpoint={endpoint.url}",
                f"--account={providers.load(provider).folders.fixtures / 'account.toml'}",
                "--report=out",
                "-p",
                "peak_memory",
                *LOUD,
                *arguments,
                env=credentials(provider, client=client) | {"PYTHONPATH": path},
                timeout=120,
            )
            seconds = time.monotonic() - started
        made = Ran(outcome, endpoint.counts, seconds, int((folder / "peak").read_text()) / 1024)
        assert leaks(made, provider) == []
        assert made.peak_mb < MEMORY_MB
        assert "Traceback" not in outcome.text
        assert "INTERNALERROR" not in outcome.text
        return made

    return run


def credentials(provider, *, client):
    """The environment: a token, or a client that tokens are given to."""
    known = canaries(provider)
    if provider == "sendcloud":
        return {"SENDCLOUD_PUBLIC_KEY": known["public_key"], "SENDCLOUD_SECRET_KEY": known["secret_key"]}
    if client:
        return {"ATLAST_CLIENT_ID": known["client_id"], "ATLAST_CLIENT_SECRET": known["client_secret"]}
    return {"ATLAST_ACCESS_TOKEN": known["access_token"]}


def leaks(ran, provider):
    """The places in which a canary can be read, plain or as it goes over the wire."""
    known = canaries(provider)
    pairs = [("public_key", "secret_key"), ("client_id", "client_secret")]
    texts = {base64.b64encode(f"{known[user]}:{known[secret]}".encode()) for user, secret in pairs}
    texts |= {each.encode() for each in known.values()} | {issued(known["client_secret"]).encode(), b"5d1e8c"}
    places = {"stdout": ran.outcome.out.encode(), "stderr": ran.outcome.err.encode()}
    places |= {str(path): path.read_bytes() for path in ran.outcome.folder.rglob("*") if path.is_file()}
    assert any(name.endswith("report.json") for name in places)
    return [name for name, content in places.items() if any(each in content for each in texts)]


@pytest.fixture(scope="module")
def healthy(run):
    """The same run without any trouble."""
    return run("none", *FEW)


def test_without_trouble_all_is_conformant(healthy):
    assert healthy.outcome.ret == 0
    assert healthy.with_verdict("violation", "advisory", "inconclusive") == set()
    assert len(healthy.with_verdict("conformant")) > 20
    assert healthy.counts["created"] == healthy.outcome.report["counts"]["orders_created"] > 5
    assert healthy.counts["created_twice"] == 0


def unharmed(ran, healthy, controls=0):
    """Every verdict is what it is without trouble, and nothing was sent twice, with so many controls fewer."""
    assert ran.outcome.ret == 0
    assert ran.verdicts == healthy.verdicts
    assert ran.counts["created"] == healthy.counts["created"] - controls
    assert ran.counts["created_twice"] == 0
    assert ran.counts["processed_twice"] == healthy.counts["processed_twice"]


@pytest.mark.parametrize(
    "kind",
    ["headers-twice", "headers-bytes", "interim", "length-short", "echo", "gzip-bomb", "refusal-page", "success-page"],
)
def test_what_is_odd_and_does_not_touch_the_answer_changes_no_verdict(run, healthy, kind):
    ran = run(kind, *FEW)
    unharmed(ran, healthy)
    assert ran.counts["spoilt"] == ran.counts["requests"] == healthy.counts["requests"]


def test_a_date_that_none_is_breaks_nothing(run, healthy):
    unharmed(run("headers-date", *FEW), healthy)


@pytest.mark.parametrize("what", ["nan", "huge", "deep", "not-utf8"])
def test_odd_json_changes_no_verdict_where_no_json_is_documented(run, healthy, what):
    """AtLast documents statuses and no bodies, so that whatever stands in one is no concern of any requirement."""
    unharmed(run(f"json-{what}", *FEW), healthy)


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        ("twice", "conformant"),
        # RFC 8259, section 8.1: JSON between systems is UTF-8. So the answer has not the documented form.
        ("not-utf8", "violation"),
        # Section 6: no number is written like that.
        ("nan", "violation"),
        # These are JSON, if nothing that a reader has to be able to read (section 9).
        ("huge", "inconclusive"),
        ("deep", "inconclusive"),
        ("large", "inconclusive"),
    ],
)
def test_odd_json_where_json_is_documented(run, what, verdict):
    """A refusal of Sendcloud has to name the place, so that its body counts."""
    case = "SC-282/batch.last-of-hundred-quantity"
    ran = run(f"json-{what}", f"--case={case}", provider="sendcloud")
    assert ran.verdicts[case] == verdict


@pytest.mark.parametrize("kind", ["latency", "jitter"])
def test_slowness_within_the_time_out_changes_no_verdict(run, healthy, kind):
    ran = run(kind, *FEW, "--concurrency=8", "--request-timeout=5", options=["--seconds=0.1"])
    # Where requests overlap, no control stands between packs and single cases.
    unharmed(ran, healthy, controls=1)
    assert ran.seconds < OVERHEAD_S


def inconclusive(ran, healthy, reason):
    """What was lost proves nothing and is told as such; all the rest is what it is without trouble."""
    assert ran.outcome.ret == 1
    assert ran.with_verdict("violation", "advisory") == set()
    lost = ran.with_verdict("inconclusive")
    assert lost
    assert {name: verdict for name, verdict in ran.verdicts.items() if name not in lost} == {
        name: verdict for name, verdict in healthy.verdicts.items() if name not in lost
    }
    assert any(reason in ran.outcome.cases[name]["reason"] for name in lost)
    assert ran.counts["created_twice"] == 0
    assert ran.counts["processed_twice"] == healthy.counts["processed_twice"]


# Every twelfth request, and not the first.
SOME = ("--share=0.08", "--after=1")
MAY_HAVE_ARRIVED = "(the request may have arrived)"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("reset-before", f"no answer: Connection reset by peer {MAY_HAVE_ARRIVED}"),
        ("reset-after", f"no answer: Connection reset by peer {MAY_HAVE_ARRIVED}"),
        ("half", MAY_HAVE_ARRIVED),
        ("length-long", f"no answer: the connection was closed in the middle of the answer {MAY_HAVE_ARRIVED}"),
        ("echo-broken", f"no answer: the connection was closed in the middle of the answer {MAY_HAVE_ARRIVED}"),
        ("gateway-page", "502 text/html <html>"),
        ("throttle-bare", "429 slow down"),
    ],
)
def test_an_answer_that_is_lost_proves_nothing(run, healthy, kind, reason):
    inconclusive(run(kind, *FEW, options=SOME), healthy, reason)


@pytest.mark.parametrize("kind", ["length-longer", "drip-head", "drip-body", "interim-storm"])
def test_an_answer_that_does_not_end_is_given_up_in_time(run, healthy, kind):
    ran = run(kind, *FEW, "--request-timeout=0.5", options=SOME)
    inconclusive(ran, healthy, f"no answer: nothing within 0.5 s {MAY_HAVE_ARRIVED}")
    assert ran.seconds < OVERHEAD_S + ran.counts["spoilt"] * 2


def test_an_endless_body_is_cut_and_its_status_counts(run, healthy):
    """What the endpoint said of the order stands in the status: it took it, or refused it."""
    ran = run("endless", *FEW, "--request-timeout=5", options=SOME)
    unharmed(ran, healthy)
    assert ran.counts["spoilt"] > 1
    assert any(each["response"].get("truncated") for each in ran.outcome.report["exchanges"].values())


def test_several_requests_in_flight_lose_no_more_than_their_own_answers(run, healthy):
    ran = run("reset-after", *FEW, "--concurrency=8", options=SOME)
    inconclusive(ran, healthy, MAY_HAVE_ARRIVED)


def test_throttling_that_ends_is_waited_for(run, healthy):
    ran = run("throttle", *FEW, options=SOME)
    assert ran.verdicts == healthy.verdicts
    assert ran.outcome.ret == 0
    assert ran.counts["spoilt"] > 1
    assert ran.counts["created_twice"] == 0


def test_throttling_that_never_ends_stops_the_run(run):
    ran = run("throttle", *FEW)
    assert ran.outcome.ret == 1
    assert "conformant" not in set(ran.verdicts.values())
    assert ran.with_verdict("violation", "advisory") == set()
    assert "429" in ran.outcome.report["run"]["stopped"]
    assert ran.seconds < OVERHEAD_S + 20


def test_a_token_that_expires_in_mid_run_is_renewed(run):
    ran = run("expire", "-k", "items", options=["--uses=60"], client=True)
    assert any((each["response"] or {}).get("status") == 401 for each in ran.outcome.report["exchanges"].values())
    assert ran.outcome.ret == 0
    assert ran.with_verdict("violation", "advisory", "inconclusive") == set()
    assert ran.counts["created_twice"] == 0


def test_no_recording_holds_a_secret(run):
    """Not even where the endpoint repeats all that it is sent."""
    ran = run("echo", *FEW, "--record-mode=all", "--cassettes=recordings")
    assert ran.outcome.ret == 0
    assert len(list((ran.outcome.folder / "recordings").rglob("*.yaml"))) > 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gzip-bomb", "json-deep"])
def test_a_whole_run_stays_within_its_memory(run, kind):
    """All of the suite, with the worst that an endpoint can do in each answer."""
    assert run(kind).outcome.ret == 0
