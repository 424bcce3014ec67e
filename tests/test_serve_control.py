"""``conformance serve`` for clients in any language: its control API, its log, its file, and its container."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from test_cli import PROGRAM
from test_fixtures import plain, wait_for

from conformance import providers

ROOT = Path(__file__).resolve().parents[1]
URL = re.compile(r" at ((http://[^/ ]+)\S*)$")


class Served:
    """A served endpoint, told from outside."""

    def __init__(self, *command, env=None):
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
        )
        self.said = []
        for line in self._process.stdout:
            self.said.append(line.rstrip("\n"))
            if line.startswith("  pytest "):
                break
        else:
            raise AssertionError(self._process.stderr.read())
        self.url, self.origin = URL.search(self.said[0]).groups()
        self.environment = dict(re.findall(r"^  export (\w+)=(\S+)$", "\n".join(self.said), re.MULTILINE))
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self._process.stdout), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=20)
        self.errors = self._process.stderr.read().rstrip("\n")  # Ctrl-C ends the line
        for each in (self._process.stdout, self._process.stderr):
            each.close()

    def ask(self, path, told=None, base=None, **headers):
        """Status and JSON of a request to the control API, or to another base."""
        body = told if isinstance(told, bytes) or told is None else json.dumps(told).encode()
        request = urllib.request.Request((base or f"{self.origin}/_control") + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def get(self, path):
        status, answer = self.ask(path)
        assert status == 200, answer
        return answer

    def post(self, path, **told):
        status, answer = self.ask(path, told)
        assert status == 200, answer
        return answer

    def order(self, body):
        """Send orders to Sendcloud's operation."""
        keys = {"authorization": "Basic cmVmZXJlbmNlLXB1YmxpYy1rZXk6cmVmZXJlbmNlLXNlY3JldC1rZXk="}
        return self.ask("/orders", body.encode(), self.url, **{"content-type": "application/json"}, **keys)


@pytest.fixture(scope="module")
def endpoint():
    """One that all tests of the control API share."""
    with Served(PROGRAM, "serve", "sendcloud", "--port=0") as served:
        yield served


@pytest.fixture
def served(endpoint):
    endpoint.post("/fault", id=None)
    endpoint.post("/delay", seconds=0)
    endpoint.post("/latency", seconds=0)
    endpoint.post("/reset")
    return endpoint


def test_it_says_where_to_ask(served):
    assert f"  curl {served.origin}/_control/violations" in served.said


def test_what_was_stored_and_what_was_wrong(served):
    """Orders, requests and violations as a client in any language reads them."""
    good = json.loads(plain("sendcloud"))
    assert served.order(json.dumps(good))[0] == 201
    assert served.order(json.dumps([good[0] | {"order_number": ""}]))[0] == 400
    assert served.get("/orders") == good
    [violation] = served.get("/violations")
    keys = ["requirement", "level", "title", "source", "pointer", "order", "expected", "got", "request"]
    assert list(violation) == keys
    assert (violation["requirement"], violation["pointer"], violation["request"]) == ("SC-051", "/0/order_number", 2)
    first, second = served.get("/requests")
    assert (first["status"], first["orders"], first["body"], first["violations"]) == (201, 1, good, [])
    assert (second["status"], second["violations"], second["operation"]) == (400, [violation], "create-orders")
    assert first["headers"]["authorization"] == "(hidden)"
    state = served.get("")
    assert {name: state[name] for name in ("provider", "orders", "requests", "violations", "url")} == {
        "provider": "sendcloud", "orders": 1, "requests": 2, "violations": 1, "url": served.url,
    }  # fmt: skip
    assert served.get("/advice") == []


def test_trouble_by_word(served):
    assert served.post("/fail", what=503, times=2)["failures_left"] == 2
    for _ in range(2):
        with pytest.raises(json.JSONDecodeError):
            served.order("[]")
    assert served.order("[]")[0] == 201
    served.post("/fail", what="reset")
    with pytest.raises((urllib.error.URLError, ConnectionResetError)):
        served.order("[]")
    served.post("/fail", what="throttle", on="any", retry_after=3)
    assert served.order("[]")[0] == 429
    assert [each["failure"] for each in served.get("/requests")] == ["503", "503", "", "reset", "throttle"]


def test_faults_latency_and_delay(served):
    """Settings stay through a reset, and are taken back one by one."""
    wrong_order = json.dumps([json.loads(plain("sendcloud"))[0] | {"order_number": ""}])
    assert {each["id"]: each["requirement"] for each in served.get("/faults")}["SC-051"] == "SC-051"
    assert served.post("/fault", id="SC-051")["fault"] == "SC-051"
    assert served.order(wrong_order)[0] == 201
    served.post("/reset")
    assert served.order(wrong_order)[0] == 201
    assert served.post("/fault", id=None)["fault"] is None
    assert served.order(wrong_order)[0] == 400
    assert served.post("/delay", seconds=2.5)["delay"] == 2.5
    assert served.post("/latency", seconds=0.01)["latency"] == 0.01
    served.post("/delay", seconds=0)
    served.post("/latency", seconds=0)


@pytest.mark.parametrize(
    ("path", "told", "status", "message"),
    [
        ("/fail", {"what": "timeuot"}, 400, "did you mean 'timeout'?"),
        ("/fail", {}, 400, '"what" is needed'),
        ("/fail", {"what": 500, "times": "2"}, 400, '"times" has to be a whole number'),
        ("/fail", {"what": 500, "times": 0}, 400, "once at least"),
        ("/fail", b"{", 400, "send a JSON object"),
        ("/fail", b"[]", 400, "send a JSON object"),
        ("/fault", {"id": "SC-99999"}, 400, "sendcloud has no such fault"),
        ("/fault", {"id": 7}, 400, '"id" has to be a text'),
        ("/delay", {"seconds": -1}, 400, "a number of seconds"),
        ("/latency", {"seconds": "1"}, 400, "a number of seconds"),
        ("/violation", None, 404, "did you mean '/_control/violations'?"),
        ("/violations", {}, 405, "is for GET"),
        ("/reset", None, 405, "is for POST"),
    ],
)
def test_what_cannot_be_asked(served, path, told, status, message):
    """One sentence that says what is wrong."""
    code, answer = served.ask(path, told)
    assert code == status
    assert message in answer["error"]
    assert served.get("")["requests"] == 0


def test_a_line_a_request(served):
    """Time, method, path, status, orders, what was wrong, and how long it took."""
    mark = f"?mark={time.monotonic_ns()}"
    keys = {"authorization": "Basic cmVmZXJlbmNlLXB1YmxpYy1rZXk6cmVmZXJlbmNlLXNlY3JldC1rZXk="}
    for body in (plain("sendcloud"), "[{}]"):
        kind = {"content-type": "application/json"}
        served.ask(f"/orders{mark}", body.encode(), served.url, **kind, **keys)
    served.get("/orders")
    wait_for(lambda: sum(mark in line for line in served.log) == 2)
    first, second = served.log[-2:]
    line = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ POST /api/v3/orders\{mark} "
    assert re.fullmatch(line + r"201 1 order \d+ ms\n", first)
    assert re.fullmatch(line + r"400 1 order \d+ violations SC-\d+(,SC-\d+)+ \d+ ms\n", second)
    assert not [each for each in served.log if "_control" in each]


def test_violations_as_a_file(tmp_path):
    """A JSON object a line, added while the endpoint runs."""
    file = tmp_path / "violations.ndjson"
    file.write_text('{"earlier": true}\n', encoding="utf-8")
    with Served(PROGRAM, "serve", "sendcloud", "--port=0", "--violations", file, "--no-control") as served:
        served.order("[{}]")
        served.order(plain("sendcloud"))
        first, *rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        assert first == {"earlier": True}
        assert {(each["method"], each["path"], each["request"]) for each in rows} == {("POST", "/api/v3/orders", 1)}
        assert "/0/order_id" in {each["pointer"] for each in rows}
        # Without the control API its paths are the provider's, which knows none of them.
        with pytest.raises(json.JSONDecodeError):
            served.ask("/violations")
        assert not [line for line in served.said if "_control" in line]
    assert served.errors == ""


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--violations=missing/file",
            "--violations=missing/file: No such file or directory; name a file that can be written",
        ),
        ("--host=192.0.2.1", "--host 192.0.2.1 --port 8080: Cannot assign requested address; choose another one"),
    ],
)
def test_wrong_options(option, message):
    done = subprocess.run([PROGRAM, "serve", "atlast", option], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"conformance: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["serve", "container"])
def test_the_suite_finds_it_conformant(way, run_pytest, tmp_path):
    """As a server, and by the very command of the container."""
    command, env = [PROGRAM, "serve", "atlast", "--port=0"], {}
    if way == "container":
        command, env = container("atlast", "--port=0")
    account = providers.load("atlast").folders.fixtures / "account.toml"
    with Served(*command, env=env) as served:
        arguments = f"--endpoint={served.url}", f"--account={account}"
        done = run_pytest(tmp_path, "--provider=atlast", *arguments, "-q", env=served.environment)
        assert done.ret == 0
        assert "atlast: conformant" in done.out
    told = "listening at 0.0.0.0: whoever reaches this machine can use the endpoint and its control API"
    assert served.errors == (told if way == "container" else "")


def container(*arguments):
    """What the container runs: the command with arguments in place of its own, and the environment that it sets."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    told = {word: rest for word, _, rest in (line.partition(" ") for line in lines) if word.isupper()}
    entry, own = json.loads(told["ENTRYPOINT"]), json.loads(told["CMD"])
    assert entry == ["conformance", "serve"]
    assert own == ["sendcloud", "--port=8080"]
    env = dict(each.partition("=")[::2] for each in told["ENV"].split())
    return [PROGRAM, *entry[1:], *arguments], env


def test_the_container_has_everything_it_needs():
    """Nobody's root, the port that is exposed, and no file left out that the build takes up."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE)
    assert re.search(r"^EXPOSE 8080$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    needed = {"conformance", "schemas", "fixtures", "cassettes", "pyproject.toml", "README.md", "LICENSE"}
    assert needed & set(ignored) == set()
    assert ".*" in ignored, "nor a .env file"


@pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed")
def test_the_example_in_another_language(served):
    """The client of the documentation survives what it is told to, and its mistake is named."""
    done = subprocess.run(
        ["node", ROOT / "docs" / "examples" / "client.mjs", served.url],
        capture_output=True, text=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:5] == [
        "two orders: 201",
        "throttled: 201",
        "connection lost: stored already",
        "violations so far: 0",
        "a quantity as a text: 400",
    ]
    assert lines[5].startswith("SC-097 /0/order_details/order_items/0/quantity: expected ")
    assert lines[6:] == ["orders stored: 4"]


def test_the_commands_of_the_page(served):
    """Every curl line of docs/mock-server.md is answered as the page says."""
    page = (ROOT / "docs" / "mock-server.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (curl .+)$", page, re.MULTILINE)
    assert len(commands) > 8
    for command in commands:
        own = command.replace("http://127.0.0.1:8080", served.origin)
        done = subprocess.run(["bash", "-c", own], capture_output=True, text=True, timeout=20, check=False, cwd=ROOT)
        if "/api/v3/orders" in command:
            continue  # some of them are told to fail
        assert "error" not in json.loads(done.stdout), command
    named = set(re.findall(r"/_control(/\w+)?", page))
    assert named >= {
        "/orders",
        "/requests",
        "/violations",
        "/advice",
        "/faults",
        "/fail",
        "/fault",
        "/delay",
        "/latency",
        "/reset",
    }
