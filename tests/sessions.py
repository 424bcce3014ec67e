"""
Pages of the documentation as sessions: their console blocks, run one after the other in one folder, as a reader would.

A fence with a title (```toml title="account.toml") is written to a file of that name. In a ``console`` fence, lines
that begin with ``$`` are commands and the others their output, in which ``…`` stands for anything. What
``conformance serve`` starts goes on until the page ends or the same port is served again. Comments that no reader sees
say what differs from that:

    <!-- test: exits 1 -->            the last command of the next fence ends with this status, and not with 0
    <!-- test: not run: reason -->    the next fence is passed over
    <!-- test: https://staging.example.com is http://127.0.0.1:8080 -->    the one address stands for the other
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from conftest import FOREIGN_VARIABLES, without

_FENCE = re.compile(
    r'(?ms)^(?:<!-- test: (?P<note>[^\n]*?) -->\n)?```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$'
)
_STAND_IN = re.compile(r"<!-- test: (https?://\S+) is (https?://\S+) -->")
_SERVED = re.compile(r" at http://(127\.0\.0\.1:\d+)/")
_START_S = 20
_COMMAND_S = 90

# What differs between two runs that are equal in everything a reader cares for.
_VOLATILE = re.compile(
    r"…|={3,}|_{3,}|\d+\.\d+s|\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?|[0-9a-f]{6}-\d{8}T\d{6}Z|(?<=-)[0-9a-f]{6}(?=-)"
    r"|\d[\d,]*(?= (?:requests|of them|orders|cases|passed|lines|files|skipped|deselected|items|tests|not sent)\b)"
)
_LEVEL = re.compile(r"(must|should|silent|contradictory)\s{3,}")


@dataclass(frozen=True, slots=True)
class Step:
    """One command with the output that the page shows."""

    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One fence of a page."""

    kind: str
    title: str
    note: str
    text: str

    @property
    def status(self):
        """What its last command exits with."""
        return int(self.note.removeprefix("exits ")) if self.note.startswith("exits ") else 0

    def steps(self):
        """Its commands; an indented line after a backslash belongs to the one before."""
        steps, command = [], ""
        for line in self.text.splitlines():
            if line.startswith("$ ") or command.endswith("\\"):
                command = f"{command}\n{line}" if command.endswith("\\") else line[2:]
                if not command.endswith("\\"):
                    steps.append(Step(command, ()))
            else:
                assert steps, f"output before any command: {line}"
                steps[-1] = Step(steps[-1].command, (*steps[-1].shown, line))
                command = ""
        return steps


def blocks(page):
    """The fences of a page, in order."""
    return [
        Block(each["kind"], each["title"] or "", each["note"] or "", each["text"]) for each in _FENCE.finditer(page)
    ]


def differences(shown, output):
    """The lines shown that the output does not have, in their order. Empty when the page is true."""
    rest, missing = output.splitlines(), []
    for line in shown:
        if line.strip() in ("…", ""):
            continue
        wanted = _pattern(line)
        place = next((number for number, each in enumerate(rest) if wanted.fullmatch(each.rstrip())), None)
        if place is None:
            missing.append(line)
        else:
            rest = rest[place + 1 :]
    return missing


def _pattern(line):
    level = _LEVEL.match(line)
    if level:
        return re.compile(rf"{level[1]}\s.*")
    parts = [re.escape(each) for each in _VOLATILE.split(line.rstrip())]
    return re.compile(".*".join(parts))


@dataclass
class Session:
    """A folder, a shell's variables, and the endpoints that were started."""

    folder: Path
    state: Path
    hosts: dict[str, str] = field(default_factory=dict)  # as written: as it is
    stand_ins: dict[str, str] = field(default_factory=dict)
    servers: dict[str, subprocess.Popen] = field(default_factory=dict)

    def play(self, page):
        """Run a page. Returns a line for each thing that is not as written."""
        problems = []
        try:
            self.stand_ins.update(_STAND_IN.findall(page))
            for block in blocks(page):
                problems += self._block(block)
        finally:
            for server in self.servers.values():
                server.terminate()
            for server in self.servers.values():
                server.wait(10)
        return problems

    def _block(self, block):
        if block.title:
            (self.folder / block.title).write_text(self._real(block.text), encoding="utf-8")
        if block.kind != "console" or block.note.startswith("not run: "):
            return
        steps = block.steps()
        for step in steps:
            status, output = self._command(step.command)
            wanted = block.status if step is steps[-1] else 0
            if status != wanted:
                yield f"$ {step.command}\nexits {status}, not {wanted}:\n{output[-2000:]}"
            for line in differences(step.shown, output):
                yield f"$ {step.command}\ndoes not print {line!r}:\n{output[-3000:]}"

    def _command(self, command):
        if command.startswith("conformance serve ") and "--fault list" not in command:
            return 0, self._serve(command)
        script = f". {self.state}\n{self._real(command)}\nstatus=$?; export -p > {self.state}; exit $status\n"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_S,
            check=False,
        )
        return done.returncode, self._written(done.stdout)

    def _serve(self, command):
        """Start an endpoint on a free port; the port of the page leads there."""
        port = re.search(r"--port[= ](\d+)", command)
        host = f"127.0.0.1:{port[1] if port else 8080}"
        output, self.hosts[host] = self._start(host, re.sub(r" --port[= ]\d+", "", command))
        return self._written(output)

    def _start(self, name, command):
        before = self.servers.pop(name, None)
        if before:
            before.terminate()
            before.wait(10)
        log = self.state.with_name(f"served-{time.monotonic_ns()}")
        with log.open("wb") as out:
            self.servers[name] = subprocess.Popen(
                ["bash", "-c", f"exec {self._real(command)} --port 0"],
                cwd=self.folder,
                env=_environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            text = log.read_text(encoding="utf-8")
            served = _SERVED.search(text)
            if served and "  pytest --provider=" in text and text.endswith("\n"):
                return text, served[1]
            time.sleep(0.05)
        raise AssertionError(f"$ {command}\ndid not start:\n{log.read_text(encoding='utf-8')}")

    def _real(self, text):
        for written, real in [*self.stand_ins.items(), *self.hosts.items()]:
            text = text.replace(written, real)
        return text

    def _written(self, text):
        for written, real in self.hosts.items():
            text = text.replace(real, written)
        return text


def _environment():
    """Of the shell that the tests were started in, what a reader's would have too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_VARIABLES)}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "PYTEST_ADDOPTS": " ".join(without()),
        "NO_COLOR": "1",
        "COLUMNS": "80",
    }
