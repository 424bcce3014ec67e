"""docs/adding-a-provider.md, word for word: its files make a provider, its commands run it, its reference is whole."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import sysconfig
import threading
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import conformance
from conformance import drafts, standing
from conformance.operations import Outcome

DOCUMENT = Path(__file__).parents[1] / "docs/adding-a-provider.md"
PROGRAM = Path(sysconfig.get_path("scripts")) / ("conformance.exe" if os.name == "nt" else "conformance")
METASCHEMAS = Path(conformance.__file__).parent / "metaschemas"
# The document's endpoint, and the only line that cannot be followed here: nothing is installed by tests.
SANDBOX = "https://sandbox.acme.example"
INSTALL = "pip install -e acme-orders"

if not DOCUMENT.is_file():
    pytest.skip("there is no checkout with the document", allow_module_level=True)

TUTORIAL, _, REFERENCE = DOCUMENT.read_text(encoding="utf-8").partition("## Part two")
# A paragraph that begins with a path, and the block behind it.
FILES = {
    path: f"{text}\n"
    for path, text in re.findall(
        r"^`([^`\n]+)`[^\n]*\n(?:[^\n]+\n)*\n```\w+\n(.*?)\n```$", TUTORIAL, re.MULTILINE | re.DOTALL
    )
}
COMMANDS = [line.removeprefix("$ ") for line in re.findall(r"^\$ .*$", TUTORIAL, re.MULTILINE)]
[SHOWN] = re.findall(r"^```text\n(.*?)\n```$", TUTORIAL, re.MULTILINE | re.DOTALL)


# The distribution, and the commands of the document


class Followed:
    """A reader's folder: the files of the document, on the path as an installation leaves them there."""

    def __init__(self, folder, files, run_pytest):
        self.folder = folder
        self._run_pytest = run_pytest
        for path, text in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        project = tomllib.loads(files["acme-orders/pyproject.toml"])["project"]
        site = folder / "acme-orders"
        (site / "acme_orders/__init__.py").touch()
        info = site / f"acme_orders-{project['version']}.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(about, encoding="utf-8")
        lines = [
            line
            for group, points in project["entry-points"].items()
            for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        self._variables = {"PYTHONPATH": path}

    def run(self, command, endpoint="", *more):
        """Run one command of the document; its endpoint stands for the sandbox of the document."""
        program, *arguments = shlex.split(command.replace(SANDBOX, endpoint or SANDBOX))
        if program == "export":
            name, _, value = arguments[0].partition("=")
            self._variables[name] = value
            return None
        if program == "pytest":
            return self._run_pytest(self.folder, *arguments, *more, env=self._variables)
        programs = {"conformance": [str(PROGRAM)], "python": [sys.executable]}
        done = subprocess.run(
            [*programs[program], *arguments],
            cwd=self.folder,
            env=os.environ | self._variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=90,
            check=False,
        )
        print(done.stdout[-3000:], done.stderr[-3000:])
        return done


@pytest.fixture(scope="module")
def followed(tmp_path_factory, run_pytest):
    """The document, followed to the letter."""
    return Followed(tmp_path_factory.mktemp("acme"), FILES, run_pytest)


def test_document_has_what_it_promises():
    """The tutorial is the files of a distribution and an account, data only, and five commands."""
    data = {Path(path).suffix for path in FILES}
    assert data == {".toml", ".json"}
    assert {Path(path).name for path in FILES} >= {"provider.toml", "requirements.toml", "order.json", "account.toml"}
    assert COMMANDS[0] == INSTALL
    assert [each.split()[0] for each in COMMANDS[1:]] == ["conformance", "pytest", "export", "pytest"]
    levels = {each["level"] for each in tomllib.loads(_file("requirements.toml"))["requirement"]}
    assert levels == {"must", "should", "silent"}


def _file(name):
    [text] = [text for path, text in FILES.items() if path.endswith(f"schemas/acme/{name}")]
    return text


def test_provider_is_listed(followed):
    """``conformance providers`` shows the row that the document shows."""
    done = followed.run(COMMANDS[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert set(SHOWN.splitlines()[:2]) <= {line.rstrip() for line in done.stdout.splitlines()}


def test_conformant_at_its_own_reference(followed):
    """``pytest --provider=acme`` ends as the document shows."""
    done = followed.run(COMMANDS[2])
    assert done.ret == 0
    shown = "\n".join(SHOWN.splitlines()[3:])
    assert shown
    assert shown in "\n".join(line.rstrip() for line in done.lines)
    assert "acme: conformant" in done.out


def test_conformant_at_a_strict_reference(followed):
    """Whoever refuses what the documentation is silent about is conformant too."""
    assert followed.run(COMMANDS[2], "", "--reference-strict").ret == 0


def test_suite_notices_every_fault(followed):
    """Each fault of the pack shows as a violation; a null for a note, which harms nobody, as an advisory finding."""
    [command] = re.findall(r"`(python -m conformance\.reference\.detection\s+acme)`", TUTORIAL)
    done = followed.run(command)
    assert done.returncode == 0
    [titles] = re.findall(r"^\| fault \| (number .*) \|$", done.stdout, re.MULTILINE)
    [total] = re.findall(r"^\| \*\*all\*\* \| (.*) \|$", done.stdout, re.MULTILINE)
    noticed = {name: int(count) for name, count in zip(titles.split(" | "), total.split(" | "), strict=True)}
    assert noticed["violation"] > 50
    assert noticed["number"] == noticed["violation"] + noticed["advisory"]
    assert noticed["advisory"] == done.stdout.count("nullable` | advisory") == 1


def test_fault_of_the_document_can_be_served(followed):
    """The fault that the document serves is one of the pack's."""
    [command] = re.findall(r"`(conformance serve acme --fault) (AC-\d+)`", TUTORIAL)
    done = followed.run(f"{command[0]} list")
    assert command[1] in [line.split("  ")[0] for line in done.stdout.splitlines()]


# An endpoint that is not ours: the rules of the tutorial, written down by hand


KEY = COMMANDS[3].partition("=")[2]
WAREHOUSES = tomllib.loads(FILES["account.toml"])["warehouses"]


class Shop:
    """Acme's endpoint. ``bug`` is what its author got wrong, or nothing."""

    def __init__(self, bug=""):
        self.bug = bug
        self.ids = set()
        self.app = Starlette(routes=[Route("/v1/orders/bulk", self.bulk, methods=["POST"])])

    async def bulk(self, request):
        given = request.headers.get("x-api-key", "")
        if not (given.startswith(KEY) if self.bug == "key by its beginning" else given == KEY):
            return JSONResponse({"error": "I do not know you."}, 401)
        try:
            wrong = self.wrong(json.loads(await request.body()))
        except ValueError:
            wrong = "This is no JSON."
        if wrong:
            return JSONResponse({"error": wrong}, 422)
        return Response(status_code=200 if self.bug == "answers 200" else 201)

    def wrong(self, body):
        orders = body.get("orders") if isinstance(body, dict) else None
        if not isinstance(orders, list) or not 1 <= len(orders) <= 50:
            return "Send 1 to 50 orders."
        new = set()
        for order in orders:
            if wrong := self.wrong_order(order):
                return wrong
            if order["id"] in self.ids or (order["id"] in new and self.bug != "ids of one batch"):
                return f"There is an order {order['id']}."
            new.add(order["id"])
        self.ids |= new
        return ""

    def wrong_order(self, order):
        if not isinstance(order, dict):
            return "An order is an object."
        name, email = order.get("id"), order.get("email", "a@example.com")
        if not isinstance(name, str) or not 1 <= len(name) <= 40:
            return "An id has 1 to 40 characters."
        if order.get("warehouse") not in WAREHOUSES:
            return "There is no such warehouse."
        if not isinstance(email, str) or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            return "This is no address."
        if not isinstance(order.get("note", ""), str):
            return "A note is a text."
        lines = order.get("lines")
        if not isinstance(lines, list) or not lines:
            return "An order has lines."
        return next((wrong for line in lines if (wrong := self.wrong_line(line))), "")

    def wrong_line(self, line):
        if not isinstance(line, dict) or not isinstance(line.get("sku"), str):
            return "A line has a SKU."
        quantity = line.get("quantity")
        least = 0 if self.bug == "quantity of nothing" else 1
        if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < least:
            return "A quantity is one or more."
        return ""


@contextmanager
def serving(app):
    """An ASGI application on loopback, on a port of its own; gives its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def live(followed, bug=""):
    """A run of the document's last two commands against a shop."""
    followed.run(COMMANDS[3])
    with serving(Shop(bug).app) as address:
        return followed.run(COMMANDS[4], address, "--report=out")


def test_conformant_at_an_endpoint_that_is_not_ours(followed):
    """A plain application with the rules of the tutorial is conformant, and every case was judged."""
    done = live(followed)
    assert done.ret == 0
    assert "acme: conformant" in done.out
    assert done.report["verdict"] == "conformant"
    assert set(done.verdicts.values()) == {"conformant", "observed"}


@pytest.mark.parametrize(
    ("bug", "requirement", "case"),
    [
        ("quantity of nothing", "AC-006", "AC-006/lines.quantity.below-minimum"),
        ("ids of one batch", "AC-004", "AC-004/id.twice"),
        ("answers 200", "AC-001", "AC-001/answers.status"),
        ("key by its beginning", "AC-002", "AC-002/key.other"),
    ],
)
def test_bug_is_found_under_its_requirement(followed, bug, requirement, case):
    """One bug makes one requirement red: that of a constraint, by hand, of the whole run, of the header."""
    done = live(followed, bug)
    assert done.ret == 1
    assert done.report["verdict"] == "nonconformant"
    assert {row["id"] for row in done.report["requirements"] if row["verdict"] == "violation"} == {requirement}
    assert [name for name, verdict in done.verdicts.items() if verdict == "violation"] == [case]
    assert f"{requirement} (must)" in done.out


# Mistakes


SCHEMAS = "acme-orders/acme_orders/schemas/acme"


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (
            f"{SCHEMAS}/provider.toml",
            ("pack-size", "pack-sise"),
            "/operation/0: unknown key 'pack-sise'; did you mean 'pack-size'?",
        ),
        (
            f"{SCHEMAS}/provider.toml",
            ("variables = {", "variabels = {"),
            "/auth/credentials/0: unknown key 'variabels'; did you mean 'variables'?",
        ),
        (
            f"{SCHEMAS}/requirements.toml",
            ("covers = [", "cover = ["),
            "/requirement/2: unknown key 'cover'; did you mean 'covers'?",
        ),
        (
            "acme-orders/acme_orders/fixtures/acme/account.toml",
            ("warehouses", "warehouse"),
            "/: unknown key 'warehouse'; did you mean 'warehouses'?",
        ),
    ],
)
def test_misspelt_key(tmp_path, run_pytest, path, change, message):
    """It is one line with file, key and the nearest key, and exit 4, by either program."""
    reader = Followed(tmp_path, FILES | {path: FILES[path].replace(*change, 1)}, run_pytest)
    line = f"{tmp_path / path}: {message}"
    done = reader.run(COMMANDS[1])
    assert (done.returncode, done.stdout, done.stderr) == (4, "", f"conformance: {line}\n")
    done = reader.run(COMMANDS[2])
    assert done.ret == 4
    assert done.errors() == [f"ERROR: {line}"]
    assert "Traceback" not in done.text


def test_document_shows_a_mistake_as_it_is_told():
    """The message in the document is the one of the case above."""
    assert "`…/provider.toml: /operation/0: unknown key 'pack-sise'; did you mean 'pack-size'?`" in TUTORIAL


# The reference


def _keys(node):
    """Every key that a meta-schema knows, at any depth."""
    if isinstance(node, list):
        return {key for each in node for key in _keys(each)}
    if not isinstance(node, dict):
        return set()
    return set(node.get("properties", {})) | {key for each in node.values() for key in _keys(each)}


def _values(node):
    """Every word that a meta-schema lets one choose from."""
    if isinstance(node, list):
        return {word for each in node for word in _values(each)}
    if not isinstance(node, dict):
        return set()
    return {str(each) for each in node.get("enum", ())} | {word for each in node.values() for word in _values(each)}


def _named():
    """What the reference names: words in code font, one by one."""
    return {word for code in re.findall(r"`([^`]+)`", REFERENCE) for word in re.findall(r"[\w/-]+", code)} | {
        word for code in re.findall(r"`([^`]+)`", REFERENCE) for word in re.findall(r"[\w-]+", code)
    }


@pytest.mark.parametrize("name", ["provider", "requirements"])
def test_reference_names_every_key(name):
    """No key of provider.toml or requirements.toml is left out."""
    meta = json.loads((METASCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert _keys(meta) - _named() == set()


def test_reference_names_every_choice():
    """No word that a key takes is left out, but for those of JSON: types, methods, operations of a patch."""
    plain = {"array", "boolean", "string", "integer", "number", "object"}
    plain |= {"GET", "POST", "PUT", "PATCH", "DELETE", "add", "remove", "replace", "copy", "move"}
    for name in ("provider", "requirements"):
        meta = json.loads((METASCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
        assert _values(meta) - plain - _named() == set()


def test_reference_names_every_expression():
    """No fact of an order is left out, and every other expression of the values module is there."""
    parts = {part for fact in drafts.FACTS for part in fact.split(".")}
    assert parts - _named() == set()
    source = (Path(conformance.__file__).parent / "values.py").read_text(encoding="utf-8")
    words = set(re.findall(r'^    "([a-z-]+)": ', source, re.MULTILINE))
    assert len(words) > 8
    assert words - _named() == set()


def test_reference_names_every_check_and_rule():
    """No standing check, rule or part of an outcome is left out."""
    rules = Path(conformance.__file__).parent / "rules"
    known = {
        name for path in rules.glob("*.py") for name in re.findall(r'^@rule\("(.+)"\)', path.read_text(), re.MULTILINE)
    }
    assert len(known) > 20
    assert (known | set(standing.CHECKS)) - _named() == set()
    assert {each.replace("_", "-") for each in Outcome.__slots__} - _named() == set()


def test_reference_names_the_keywords_that_make_cases():
    """The list of schema keywords that make cases by themselves is the one in the code."""
    source = (Path(conformance.__file__).parent / "checks/mechanical.py").read_text(encoding="utf-8")
    makers = source.partition("_MAKERS = {")[2].partition("}")[0]
    [cell] = re.findall(r"Cases are made for (.*?); other", REFERENCE)
    assert set(re.findall(r"`(\w+)`", cell)) == {*re.findall(r'"(\w+)":', makers), "minItems", "maxItems"}


def test_document_is_short():
    """It can be read in one go."""
    assert len(DOCUMENT.read_text(encoding="utf-8").splitlines()) < 370
