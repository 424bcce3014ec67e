"""
How many orders a second one process generates and judges, and how that grows with processes.

The endpoint is trivial, in a process of its own: it repeats ids and stores nothing. Batches have 100 orders, callers
send as fast as they can. ``python benchmarks/load.py [seconds]``; the first line is for one worker on one core.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_ENDPOINT = """
import asyncio, itertools, json, re, sys
ids = itertools.count(1)
names = re.compile(rb'"order_id":"([^"]*)","order_number":"([^"]*)"')

async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            found = re.search(rb"content-length: *([0-9]+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found[1])) if found else b""
            rows = [b'{"id":%d,"order_id":"%s","order_number":"%s"}' % (next(ids), *pair) for pair in names.findall(body)]
            told = b'{"data":[' + b",".join(rows) + b"]}"
            status = b"201 Created" if body else b"200 OK"
            writer.write(b"HTTP/1.1 " + status + b"\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(told) + told)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
_CLI = "from conformance.cli import main; main()"
_ENV = {"SENDCLOUD_PUBLIC_KEY": "not-a-real-key", "SENDCLOUD_SECRET_KEY": "not-a-real-secret"}


def measured(port, processes, seconds, folder):
    """The section of a run with so many workers."""
    account = folder / "account.toml"
    account.write_text("integration_ids = [7, 8]\n", encoding="utf-8")
    out = folder / str(processes)
    command = [sys.executable, "-c", _CLI, "load", "sendcloud", f"--endpoint=http://127.0.0.1:{port}/api/v3"]
    command += [f"--account={account}", f"--duration={seconds}", f"--processes={processes}", "--orders-per-second=0"]
    command += [
        "--batch-sizes=100",
        "--mix=accept=1",
        "--users=4",
        "--races=0",
        "--visibility-timeout=0",
        f"--report={out}",
    ]
    done = subprocess.run(command, env={**os.environ, **_ENV}, capture_output=True, text=True, check=False)
    if not (out / "report.json").exists():
        sys.exit(done.stderr)
    return json.loads((out / "report.json").read_text(encoding="utf-8"))["load"]


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10
    endpoint = subprocess.Popen([sys.executable, "-c", _ENDPOINT], stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.match(r"\d+", endpoint.stdout.readline())[0])
        print(f"{os.cpu_count()} cores, batches of 100")
        with tempfile.TemporaryDirectory() as folder:
            for processes in (1, 2, 4):
                found = measured(port, processes, seconds, Path(folder))
                made, rate = found["generator"], found["rate"]["orders_per_second"]
                print(
                    f"{processes} workers: {rate:8,.0f} orders a second; making {made['making']:.1%}, judging"
                    f" {made['judging']:.1%}, processor {made['cpu']:.0%} of a worker's time"
                )
    finally:
        endpoint.terminate()


if __name__ == "__main__":
    main()
