"""The wheel: it carries everything, and works without the checkout that it was built from."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from conformance import __version__, resources

CHECKOUT = Path(__file__).parents[1]
SHORT = "AL-034/reference.too-short"

pytestmark = pytest.mark.skipif(
    not (CHECKOUT / "pyproject.toml").is_file(), reason="there is no checkout to build from"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the checkout without a network."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of a fresh virtual environment with the wheel in it; the dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = next(each for each in folder.glob("*/python*") if each.stem == "python")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run(
        [*command, "--disable-pip-version-check", str(wheel)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    packages = next(folder.rglob("site-packages"))
    here = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    # Plain lines: a .pth file in those folders, as an editable install leaves there, is not followed from here.
    (packages / "dependencies.pth").write_text("".join(f"{each}\n" for each in here))
    return python


def run(python, folder, *arguments):
    names = [each for each in os.environ if each.startswith(("ATLAST_", "PYTEST_", "PYTHON"))]
    env = {key: value for key, value in os.environ.items() if key not in names}
    done = subprocess.run(
        [str(python), *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=90,
        check=False,
    )
    print(done.stdout[-3000:], done.stderr[-3000:])
    return done


def test_wheel_carries_the_data(wheel):
    """Every schema, fixture, cassette and meta-schema of the checkout is in the wheel, byte for byte."""
    with zipfile.ZipFile(wheel) as archive:
        there = {name: archive.read(name) for name in archive.namelist()}
    expected = {}
    for kind in ("schemas", "fixtures", "cassettes"):
        for path in (CHECKOUT / kind).rglob("*"):
            if path.is_file():
                expected[f"conformance/_packs/{path.relative_to(CHECKOUT).as_posix()}"] = path.read_bytes()
    for path in (CHECKOUT / "conformance").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            expected[path.relative_to(CHECKOUT).as_posix()] = path.read_bytes()
    packs = [
        f"conformance/_packs/{part}"
        for name in resources.providers()
        for part in (f"schemas/{name}/provider.toml", f"fixtures/{name}/account.toml")
    ]
    assert len(packs) >= 8
    for part in (
        *packs,
        "conformance/metaschemas/provider.schema.json",
        "conformance/report/report.schema.json",
        "conformance/py.typed",
    ):
        assert part in expected
    assert any(name.startswith("conformance/_packs/cassettes/") for name in expected)
    assert {name for name, content in expected.items() if there.get(name) != content} == set()


def test_wheel_carries_nothing_else(wheel):
    """Tests, benchmarks, caches and notes stay at home."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "conformance",
        f"bulk_order_conformance-{__version__}.dist-info",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".env"))]
    metadata = next(name for name in names if name.endswith("/entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(metadata).decode()
    assert "[pytest11]\nconformance = conformance.plugin" in text
    assert "[console_scripts]\nconformance = conformance.cli:main" in text


def test_installed_files_are_used(installed, tmp_path):
    """Package and packs are those that were installed, and nothing of the checkout."""
    code = "import conformance, json; from conformance import resources; f = resources.folders_of('atlast');"
    code += "print(json.dumps([conformance.__file__, str(f.schemas), str(f.fixtures), str(f.cassettes)]))"
    done = run(installed, tmp_path, "-c", code)
    assert done.returncode == 0
    environment = installed.parents[1]
    for path in json.loads(done.stdout):
        assert Path(path).is_relative_to(environment), path
        assert not Path(path).is_relative_to(CHECKOUT)


def test_suite_runs_from_the_wheel(installed, tmp_path):
    """From an unrelated folder the installed suite is conformant, and its pack has the checkout's digest."""
    done = run(installed, tmp_path, "-m", "pytest", "--provider=atlast", "--report=out", "-pno:randomly")
    assert done.returncode == 0
    assert "atlast: conformant" in done.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["verdict"] == "conformant"
    assert report["provider"]["pack_sha256"] == resources.folders_of("atlast").digest()


def test_installed_pack_is_what_counts(installed, tmp_path):
    """A changed byte in the installed pack shows in the report: no other pack was read."""
    pack = next(installed.parents[1].rglob("_packs/fixtures/atlast/account.toml"))
    before = pack.read_bytes()
    try:
        pack.write_bytes(before + b"# changed\n")
        done = run(installed, tmp_path, "-m", "pytest", "--provider=atlast", f"--case={SHORT}", "--report=out")
    finally:
        pack.write_bytes(before)
    assert done.returncode == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["provider"]["pack_sha256"] != resources.folders_of("atlast").digest()


def test_program_of_the_wheel(installed, tmp_path):
    """The command ``conformance`` comes with the wheel and lists the providers."""
    program = installed.with_name("conformance.exe" if os.name == "nt" else "conformance")
    done = run(program, tmp_path, "providers", "--json")
    assert done.returncode == 0
    assert {row["name"] for row in json.loads(done.stdout)} == set(resources.providers())
    assert run(program, tmp_path, "providers").stdout.startswith("provider ")
