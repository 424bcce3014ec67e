"""The wheel carries everything a run needs and works from an unrelated folder."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The interpreter of a fresh virtual environment with the wheel in it, and our dependencies from outside."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    # Packages alone: an editable installation of the checkout works through a .pth file, which is not read here.
    (site / "dependencies.pth").write_text(
        f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n", encoding="utf-8"
    )
    return folder / "bin" / "python"


def run(python, folder, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHON"))}
    return subprocess.run(
        [str(python), "-m", *arguments], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )


def test_the_wheel_carries_packs_and_metaschemas(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (
        "conformance/_packs/schemas/atlast/provider.toml",
        "conformance/_packs/schemas/atlast/requirements.toml",
        "conformance/_packs/schemas/atlast/request.schema.json",
        "conformance/_packs/fixtures/atlast/account.toml",
        "conformance/_packs/cassettes/README.md",
        "conformance/metaschemas/provider.schema.json",
        "conformance/py.typed",
    ):
        assert path in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_the_installed_suite_runs_from_an_unrelated_folder(python, tmp_path):
    where = run(python, tmp_path, "conformance.resources")
    assert where.returncode == 0, where.stderr
    code = "import conformance, conformance.resources as r; print(conformance.__file__, r.packs_root())"
    told = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    package, packs = map(Path, told.stdout.split())
    assert package.is_relative_to(python.parents[1])
    assert packs.is_relative_to(python.parents[1])
    done = run(python, tmp_path, "pytest", "--provider=atlast", "-p", "no:randomly", "--report=out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "= atlast: conformant =" in done.stdout
    assert (tmp_path / "out" / "report.json").is_file()
