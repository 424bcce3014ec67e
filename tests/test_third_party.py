"""Somebody else's distribution: built, installed beside the project in a fresh environment, and run there."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import test_wheel

from conformance import resources

HERE = Path(__file__).parent / "third_party"
PACK = HERE / "birch_orders"

# The project's own wheel, and an environment with it: made as for the tests of that wheel.
wheel = test_wheel.wheel
installed = test_wheel.installed
pytestmark = test_wheel.pytestmark


@pytest.fixture(scope="module")
def third_party(tmp_path_factory):
    """The wheel of the other distribution, built without a network."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("third-party")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(HERE)]
    # It depends on the project, which is not installed here but on the path.
    done = subprocess.run(
        [*command, "--skip-dependency-check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def beside(installed, third_party):
    """The Python of an environment with both distributions in it."""
    command = [sys.executable, "-m", "pip", "--python", str(installed), "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", str(third_party)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return installed


def program(python):
    """The command ``conformance`` of an environment."""
    return python.with_name("conformance.exe" if os.name == "nt" else "conformance")


def test_distribution_is_data_and_an_entry_point(third_party):
    """The wheel carries the pack byte for byte and names it; its only Python is an empty package."""
    with zipfile.ZipFile(third_party) as archive:
        there = {name: archive.read(name) for name in archive.namelist()}
    expected = {
        path.relative_to(HERE).as_posix(): path.read_bytes()
        for path in PACK.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name: there.get(name) for name in expected} == expected
    assert [name for name in there if name.endswith(".py")] == ["birch_orders/__init__.py"]
    [points] = [text.decode() for name, text in there.items() if name.endswith("/entry_points.txt")]
    group = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert list(group) == [resources.GROUP]
    assert points.split() == [f"[{resources.GROUP}]", "birch", "=", "birch_orders"]


def test_provider_is_listed_beside_ours(beside, tmp_path):
    """``conformance providers`` lists the other's provider with the project's own, and so does ``--json``."""
    done = test_wheel.run(program(beside), tmp_path, "providers", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {*resources.providers(), "birch"}
    assert rows["birch"]["operation"] == "POST /v2/orders"
    assert rows["birch"]["requirements"] == {"must": 10, "should": 1, "silent": 1}
    lines = test_wheel.run(program(beside), tmp_path, "providers").stdout.splitlines()
    assert [line.split()[0] for line in lines].count("birch") == 1


def test_pack_is_the_installed_one(beside, tmp_path):
    """Its folders lie in the environment, where the other distribution put them."""
    code = "import json; from conformance import resources; f = resources.folders_of('birch');"
    code += "print(json.dumps([str(f.schemas), str(f.fixtures), f.digest()]))"
    done = test_wheel.run(beside, tmp_path, "-c", code)
    assert done.returncode == 0
    schemas, fixtures, digest = json.loads(done.stdout)
    assert Path(schemas).is_relative_to(beside.parents[1])
    assert Path(fixtures).is_relative_to(beside.parents[1])
    ours = resources.PackFolders("birch", PACK / "schemas/birch", PACK / "fixtures/birch", PACK / "cassettes/birch")
    assert digest == ours.digest()


@pytest.mark.parametrize("how", ["", "--reference-strict"])
def test_suite_runs_conformant(beside, tmp_path, how):
    """``pytest --provider=birch`` is conformant at its reference endpoint, whatever that does where Birch is silent."""
    arguments = ["-m", "pytest", "--provider=birch", "--report=out", "-pno:randomly", *filter(None, [how])]
    done = test_wheel.run(beside, tmp_path, *arguments)
    assert done.returncode == 0
    assert "birch: conformant" in done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "conformant"
    assert {row["verdict"] for row in report["requirements"]} == {"conformant", "observed"}


def test_both_providers_in_one_run(beside, tmp_path):
    """The other's provider runs beside one of the project's."""
    case = ["--case=BI-001/order.plain", "--case=AL-001/order.plain"]
    done = test_wheel.run(beside, tmp_path, "-m", "pytest", "--provider=birch,atlast", "-pno:randomly", *case)
    assert done.returncode == 0
    assert "birch" in done.stdout
    assert "atlast" in done.stdout


def test_each_fault_is_noticed(beside, tmp_path):
    """What the other's reference endpoint can break shows as a violation, or as advisory where it harms nobody."""
    done = test_wheel.run(beside, tmp_path, "-m", "conformance.reference.detection", "birch", "--jobs=1")
    assert done.returncode == 0
    rows = [line.strip("| \n").split(" | ") for line in done.stdout.splitlines()]
    [titles] = [row for row in rows if row[:2] == ["fault", "number"]]
    [total] = [row for row in rows if row[0] == "**all**"]
    noticed = {name: int(count) for name, count in zip(titles[1:], total[1:], strict=True)}
    assert noticed["violation"] > 80
    # Prices without fractions spoil the plain batch itself.
    assert noticed["control"] == done.stdout.count("/whole-numbers` | control") == 1
    assert noticed["number"] == noticed["violation"] + noticed["advisory"] + noticed["control"]
    assert noticed["advisory"] == done.stdout.count("nullable` | advisory") == 2


def test_unknown_provider_names_the_nearest(beside, tmp_path):
    """A misspelt name is a wrong use that names the other's provider."""
    done = test_wheel.run(beside, tmp_path, "-m", "pytest", "--provider=brich", "-pno:randomly")
    assert done.returncode == 4
    assert "there is no provider 'brich'; did you mean 'birch'?" in done.stdout + done.stderr
