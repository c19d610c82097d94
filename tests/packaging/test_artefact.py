"""The wheel artefact: it has the whole tree, lives beside PyPA's `wheel`, and the README's quickstart runs from it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUICKSTART_BLOCKS = "3"
"""Of the README: a module with a task, calls and results, a worker."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
NO_INDEX = (
    "Could not find a version",
    "No matching distribution",
    "Connection",
    "Temporary failure",
    "Network is unreachable",
)


def packages_in(folder: str) -> set[str]:
    """The packages that the tree has, under the names they are imported by."""
    inits = (ROOT / folder).rglob("__init__.py")
    return {_imported_as(init.parent).replace("/", ".") for init in inits}


def _imported_as(path: Path) -> str:
    """Where the artefact has it: wheel/ is hourwheel/, and store/ is hourwheel/store/."""
    folder, *rest = path.relative_to(ROOT).parts
    return "/".join((*{"wheel": ("hourwheel",), "store": ("hourwheel", "store")}[folder], *rest))


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HOURWHEEL_STORE")}
    ended = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env | environment, capture_output=True, text=True, timeout=110
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree so that nothing is left in it."""
    directory = tmp_path_factory.mktemp("build")
    tree = directory / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tree / name).write_bytes((ROOT / name).read_bytes())
    for folder in ("wheel", "store"):
        for source in (ROOT / folder).rglob("*"):
            if source.suffix in (".py", ".typed"):
                copy = tree / source.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(source.read_bytes())
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        directory,
        tree,
        cwd=directory,
    )
    [made] = directory.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(artefact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new virtual environment that has the artefact and PyPA's wheel."""
    directory = tmp_path_factory.mktemp("clean")
    run(sys.executable, "-m", "venv", directory / "venv", cwd=directory)
    python = directory / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", "wheel", artefact]
    try:
        run(*install, cwd=directory)
    except AssertionError as error:
        if "CI" not in os.environ and any(words in str(error) for words in NO_INDEX):
            pytest.skip("no package index can be reached, and the artefact needs simplejson from one")
        raise
    return python


# ---- what is in it -------------------------------------------------------------------------------------------


def test_pyproject_names_every_package_of_the_tree() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(packages_in("wheel") | packages_in("store"))


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for folder in ("wheel", "store") for path in (ROOT / folder).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_core_needs_three_small_packages_and_nothing_else() -> None:
    """JSON with exact types, cron expressions, and time zones where the system has none; all three need nothing."""
    assert [need.split(">")[0] for need in PROJECT["project"]["dependencies"]] == ["simplejson", "tzdata"]


def test_the_artefact_has_every_module_and_the_marks_of_typing(artefact: Path) -> None:
    with zipfile.ZipFile(artefact) as archive:
        held = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    modules = {_imported_as(path) for folder in ("wheel", "store") for path in (ROOT / folder).rglob("*.py")}
    assert held == modules | {"hourwheel/py.typed", "hourwheel/store/py.typed"}


# ---- installed -----------------------------------------------------------------------------------------------


def test_both_wheels_are_imported_as_what_they_are(python: Path, tmp_path: Path) -> None:
    program = "import wheel, hourwheel, hourwheel.store; print(wheel.__name__, hourwheel.Scheduler.__module__); import wheel.wheelfile"
    assert run(python, "-c", program, cwd=tmp_path) == "wheel hourwheel.scheduler.scheduler\n"


def test_the_command_is_installed(python: Path, tmp_path: Path) -> None:
    assert "worker" in run(python.parent / "hourwheel", "--help", cwd=tmp_path)


def test_the_pytest_plugin_is_announced_and_what_tests_need_is_there_without_pytest(
    python: Path, tmp_path: Path
) -> None:
    announced = (
        "from importlib.metadata import entry_points; print([one.value for one in entry_points(group='pytest11')])"
    )
    assert run(python, "-c", announced, cwd=tmp_path) == "['hourwheel.testing.plugin']\n"
    program = "from hourwheel.testing import travel, eager; import sys; print('pytest' in sys.modules)"
    said = run(python, "-c", program, cwd=tmp_path)
    assert said == "False\n"


def test_the_quickstart_of_the_readme_runs_from_the_artefact(python: Path, tmp_path: Path) -> None:
    runner, readme = ROOT / "tests" / "docs" / "run_blocks.py", ROOT / "README.md"
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    said = run(python, "-W", "error", runner, readme, QUICKSTART_BLOCKS, cwd=tmp_path, PATH=path)
    assert said.endswith(f"ran {QUICKSTART_BLOCKS}\n")


def test_what_was_installed_is_typed(python: Path, tmp_path: Path) -> None:
    program = "import hourwheel, hourwheel.store, pathlib; print(*(pathlib.Path(m.__file__).with_name('py.typed').exists() for m in (hourwheel, hourwheel.store)))"
    assert run(python, "-c", program, cwd=tmp_path) == "True True\n"
