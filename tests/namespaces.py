"""
A load run over real interfaces: endpoint, master and workers each in a network namespace of its own.

As a script: ``python tests/namespaces.py --workers 4 --duration 2m [--racy lost-sibling] [--rate 400]``. It takes
root and iproute2, and leaves no namespace behind. Nothing leaves the namespaces.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

ENDPOINT, MASTER = "10.77.0.1", "10.77.0.2"
_SERVE = """
import sys
from dataclasses import replace
from conformance import providers
from conformance.reference import app, behaviour, server
pack = providers.load(sys.argv[1])
how = replace(behaviour.healthy(pack), racy=sys.argv[3])
endpoint = app.Endpoint(pack, providers.reference_account(pack), how)
server.run(endpoint.app(), server.listen(8080, sys.argv[2]))
"""
_CLI = "from conformance.cli import main; main()"


def why_not():
    """Why there can be no namespaces here, or an empty text."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "only root may make network namespaces"
    if shutil.which("ip") is None:
        return "there is no iproute2"
    tried = f"bulk{os.getpid()}t"
    done = subprocess.run(["ip", "netns", "add", tried], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"no network namespace can be made here: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", tried], check=False)
    return ""


@contextmanager
def networks(count):
    """So many namespaces on one bridge, their names in the order of their addresses, which begin with ENDPOINT."""
    hub, names = f"bulk{os.getpid()}h", [f"bulk{os.getpid()}n{index}" for index in range(count)]
    with ExitStack() as stack:
        for name in (hub, *names):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name, check=False)
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "link", "set", "br0", "up")
        for index, name in enumerate(names):
            ip("-n", hub, "link", "add", f"v{index}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", hub, "link", "set", f"v{index}", "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.77.0.{index + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names


def ip(*given, check=True):
    subprocess.run(["ip", *given], check=check, capture_output=not check)


def run(provider, workers, duration, folder, *, racy="", rate=400, more=()):
    """A load run whose parts meet only over interfaces; gives the exit status and what the master said."""
    from conformance import providers
    from conformance.reference.app import credentials

    pack = providers.load(provider)
    known = credentials(pack)
    variables = {each: known[name] for name, names in pack.auth.variables.items() for each in names}
    env = {**os.environ, **variables}
    common = (
        *("load", provider, f"--endpoint=http://{ENDPOINT}:8080{pack.main.base_path}", "--allow=load,orders,money"),
        *(f"--account={pack.folders.fixtures / 'account.toml'}", f"--duration={duration}", "--beyond-limits"),
        *("--visibility-timeout=5", f"--orders-per-second={rate}", f"--users={5 * workers}", *more),
    )
    with networks(workers + 2) as names, ExitStack() as stack:

        def start(name, *given, **named):
            made = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, *given], env=env, text=True, **named)
            stack.callback(stop, made)
            return made

        start(names[0], "-c", _SERVE, provider, ENDPOINT, racy)
        leading = (f"--expect-workers={workers}", f"--report={folder}")
        master = start(names[1], "-c", _CLI, *common, "--master", *leading, stdout=subprocess.PIPE)
        for name in names[2:]:
            start(name, "-c", _CLI, *common, "--worker", f"--master-host={MASTER}")
        out, _ = master.communicate()
        return master.returncode, out


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--provider", default="sendcloud")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--duration", default="2m")
    parser.add_argument("--racy", default="")
    parser.add_argument("--rate", type=int, default=400)
    asked = parser.parse_args()
    if reason := why_not():
        sys.exit(reason)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        status, told = run(
            asked.provider, asked.workers, asked.duration, Path(place), racy=asked.racy, rate=asked.rate
        )  # fmt: skip
    print(told)
    print(f"exit {status} after {time.monotonic() - began:.0f} s")
