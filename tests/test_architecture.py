"""Imports point one way, every library has one door, and modules stay small."""

import ast
import json
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import conformance

PACKAGE = Path(conformance.__file__).parent
LIMIT = 320

# Bottom first: a module imports from the layers below its own, and from nothing beside it but its own package.
# The longest name that fits places a module: ``reference.detection`` stands elsewhere than the rest of ``reference``.
LAYERS = (
    ("errors", "model", "formats", "goods", "lanes", "pace", "patience"),
    ("auth", "bodies", "changes", "links", "openapi", "people", "resources", "schemas", "scrub"),
    ("descriptors", "drafts", "linting", "operations", "rules"),
    ("envelope", "providers", "values"),
    ("answers", "catalogue", "credentials", "orders", "safety", "scaffold"),
    ("refusals",),
    ("checking", "checks", "composed", "exploration", "transport"),
    ("inspection", "suite"),
    ("deviations", "ledger", "memory", "plan"),
    ("batches", "standing"),
    ("spend",),
    ("evidence", "sender"),
    ("beside", "scenario"),
    ("judge", "guard", "reader", "steps"),
    ("flow", "shrinking"),
    ("packing",),
    ("budget",),
    ("runner",),
    ("cassettes", "journal", "preflight", "reference"),
    ("generation", "mock", "parts"),
    ("target", "testing"),
    ("conduct",),
    ("recorded", "unfinished", "load"),
    ("recorder", "reference.detection", "reference.detection_page", "report"),
    ("plugins",),
    ("plugin", "cli"),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# Library to the module or package that may import it. Any other library may have one door too, wherever it is.
# YAML has two: vcrpy's cassettes are written and read as wholes, descriptions event by event, for the place of each line.
DOORS = {
    "click": "cli",
    "faker": "people",
    "hypothesis": "exploration.drawing",
    "jinja2": "report",
    "gevent": "load.engine",
    "jsonpatch": "changes",
    "jsonschema_rs": "schemas",
    "locust": "load.engine",
    "rich": "cli",
    "schemathesis": "exploration.drawing",
    "securesystemslib": "report.attestation",
    "starlette": "reference",
    "urllib3": "transport",
    "uvicorn": "reference",
    "vcr": "cassettes.form",
    "weasyprint": "report.pdf",
    "yaml": ("cassettes.form", "openapi.yamlfile"),
}
# pytest is not a library here but the house we live in; only the plugin may know it.
HOST = {"pytest", "_pytest", "pluggy", "xdist"}


def modules():
    """Every module by its name below the package; the package itself is the empty name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def guarded(tree):
    """The nodes under ``if TYPE_CHECKING``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from ast.walk(child)


def lazy(tree):
    """The nodes inside functions: imported when they are called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from ast.walk(node)


@cache
def imports(kind):
    """(importer, imported) pairs: ``types``, ``loading`` (at the top) or ``running`` (the top and inside functions)."""
    found = set()
    for name, path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for_types, later = set(map(id, guarded(tree))), set(map(id, lazy(tree)))
        for node in ast.walk(tree):
            if (id(node) in for_types) is not (kind == "types") or (kind == "loading" and id(node) in later):
                continue
            if isinstance(node, ast.Import):
                found |= {(name, alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                found |= {(name, f"{node.module}.{alias.name}") for alias in node.names}
    return found


def inside(kind):
    """Imports of our own modules, as names below the package."""
    known = {name for name, _ in modules()}
    for importer, imported in sorted(imports(kind)):
        top, _, rest = imported.partition(".")
        if top == "conformance":
            # ``from conformance.model import Case`` names a member, ``from conformance import schemas`` a module.
            yield importer, rest if rest in known else rest.rpartition(".")[0]


def outside(kind):
    """Imports of other people's libraries."""
    for importer, imported in sorted(imports(kind)):
        library = imported.partition(".")[0]
        if library != "conformance" and library not in sys.stdlib_module_names:
            yield importer, library


def placed(name):
    """The longest name in ``LAYERS`` that a module goes by."""
    parts = name.split(".")
    fitting = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((each for each in fitting if each in RANKS), None)


def within(module, door):
    return module == door or module.startswith(f"{door}.")


def test_every_module_has_its_place():
    """A new module belongs into ``LAYERS``, and a name there to a module."""
    names = {name for name, _ in modules()}
    assert [name for name in sorted(names - {""}) if placed(name) is None] == []
    assert set(RANKS) - {placed(name) for name in names - {""}} == set()


def upward(kind):
    """Imports that point up or sideways; a module without a place is another test's concern."""
    for importer, imported in inside(kind):
        above, below = placed(importer), placed(imported)
        if above and below and above != below:
            one_package = importer.partition(".")[0] == imported.partition(".")[0]
            if RANKS[above] < RANKS[below] or (RANKS[above] == RANKS[below] and not one_package):
                yield f"{importer} imports {imported}"


def test_imports_point_down():
    assert list(upward("running")) == []


def test_annotations_point_down_too():
    """What a module talks about is no more above it than what it calls."""
    assert list(upward("types")) == []


def test_nobody_imports_from_the_package_itself_but_its_version():
    names = {imported for _, imported in imports("running") | imports("types") if imported.startswith("conformance.")}
    known = {f"conformance.{name}" for name, _ in modules()}
    assert {name for name in names if name.count(".") == 1} - known == {"conformance.__version__"}


def test_modules_load_without_circles():
    graph = defaultdict(set)
    for importer, imported in inside("loading"):
        if imported:
            graph[importer].add(imported)
    done, path = set(), []

    def visit(name):
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            path.append(name)
            for each in sorted(graph[name]):
                visit(each)
            path.pop()
            done.add(name)

    for name in sorted(graph):
        visit(name)
    assert len(done) > 20


def test_every_library_has_one_door():
    users = defaultdict(set)
    for importer, library in {*outside("running"), *outside("types")}:
        users[library].add(importer)
    for library, door in DOORS.items():
        assert users[library], f"nobody imports {library}"
        doors = (door,) if isinstance(door, str) else door
        assert [name for name in users[library] if not any(within(name, each) for each in doors)] == [], library
    others = {library: sorted(names) for library, names in users.items() if library not in {*DOORS, *HOST}}
    assert {library: names for library, names in others.items() if len(names) > 1} == {}


def test_only_the_plugin_knows_pytest():
    users = {importer for importer, library in {*outside("running"), *outside("types")} if library in HOST}
    assert [name for name in sorted(users) if not (within(name, "plugin") or within(name, "plugins"))] == []


def test_doors_in_reference_are_single_modules():
    """Starlette and uvicorn live in one package, each behind a module of its own."""
    for library in ("starlette", "uvicorn"):
        users = {importer for importer, name in {*outside("running"), *outside("types")} if name == library}
        assert len(users) == 1


def test_no_module_is_long():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules()}
    assert {name: length for name, length in lengths.items() if length > LIMIT} == {}


def test_every_module_says_in_one_sentence_what_it_is():
    for name, path in modules():
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert text, f"{name} has no docstring"


def fresh(code):
    """What ``code`` prints as JSON in an interpreter of its own, which loads no pytest plugins."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_imports_alone():
    """None needs another to have been imported first."""
    names = [f"conformance.{name}".rstrip(".") for name, _ in modules()]
    # What changes how a process waits has to come before all that waits.
    names.sort(key=lambda name: not name.startswith("conformance.load.engine"))
    failed = fresh(
        "import importlib, json, sys\n"
        "failed = {}\n"
        f"for name in {names!r}:\n"
        "    for known in [each for each in sys.modules if each.partition('.')[0] == 'conformance']:\n"
        "        del sys.modules[known]\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except Exception as error:\n"
        "        failed[name] = repr(error)\n"
        "print(json.dumps(failed))\n"
    )
    # xdist is an extra; its hooks are registered only where it is installed.
    assert {name: why for name, why in failed.items() if "No module named 'xdist'" not in why} == {}


def test_the_plugin_loads_nothing_heavy():
    """Every pytest run of everybody who installed us imports it."""
    loaded = fresh("import sys, json, conformance.plugin\nprint(json.dumps(sorted(sys.modules)))")
    assert "conformance.plugin" in loaded
    tops = {name.partition(".")[0] for name in loaded}
    assert tops & {*DOORS, "jsonschema", "referencing", "hypothesis", "vcr"} == set()
    ours = [name for name in loaded if within(name, "conformance")]
    assert len(ours) <= 4, ours


def test_a_live_run_needs_no_server_and_a_model_no_library():
    """The heavy parts wait until somebody asks for them."""
    loaded = fresh("import sys, json, conformance.target\nprint(json.dumps(sorted(sys.modules)))")
    assert {name.partition(".")[0] for name in loaded} & {"starlette", "uvicorn", "click", "rich", "pytest"} == set()
    loaded = fresh("import sys, json, conformance.model, conformance.errors\nprint(json.dumps(sorted(sys.modules)))")
    # An interpreter may load something before anybody asks, for an editable installation for example.
    before = fresh("import sys, json\nprint(json.dumps(sorted(sys.modules)))")
    tops = {name.partition(".")[0] for name in set(loaded) - set(before)}
    assert tops - sys.stdlib_module_names == {"conformance"}
