"""The house's layout: the listing is the architecture, files and functions stay short, `__init__` only re-exports."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.kit.rooms import FILES, ROOT, imports_of, tree_of

LINES_MOST = 400
FILES_MOST = 15
FUNCTION_LINES_MOST = 60
NAMES_OF_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc", "tools"}
WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now"}
OURS = {"hourwheel", "wheel", "store"}
LAZY = {"__getattr__", "__dir__"}
NAMED_TUPLES = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
OF_SEVERAL = {"wheel/testing/contract/__init__.py: StoreContract"}
PUT_TOGETHER_IN_INIT = {"wheel/testing/contract/__init__.py"}
"""The contract is one class of many parts, and the package is that class."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def exports_of(path: Path) -> list[str] | None:
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def test_there_is_something_to_look_at() -> None:
    assert {"wheel/ring.py", "wheel/scheduler/scheduler.py", "store/file/store.py"} <= {name_of(path) for path in FILES}


def test_a_file_has_at_most_400_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > LINES_MOST} == {}


def test_a_folder_has_at_most_15_files() -> None:
    """More than that is a hall, and no room: the listing would not be read."""
    counts = Counter(name_of(path.parent) for path in FILES)
    assert {name: count for name, count in counts.items() if count > FILES_MOST} == {}


def test_no_files_import_each_other_in_a_circle_but_those_of_tasks() -> None:
    """Which can be read first? A task knows its results and its canvases, and they know it."""
    before = {
        name_of(path): {name_of(other) for other in imports_of(path)}
        for path in FILES
        if path.parent != ROOT / "wheel" / "tasks"
    }
    assert sum(map(len, before.values())) > 500
    assert list(TopologicalSorter(before).static_order())


def test_a_store_touches_no_private_name_of_another_files_objects() -> None:
    touched = set()
    for path in (path for path in FILES if path.is_relative_to(ROOT / "store")):
        nodes = list(ast.walk(tree_of(path)))
        used = {node.attr: node for node in nodes if isinstance(node, ast.Attribute) and is_private(node.attr)}
        own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"}
        touched |= {f"{name_of(path)}: {ast.unparse(node)}" for name, node in used.items() if name not in own}
    assert touched == set()


def is_private(name: str) -> bool:
    return (
        name.startswith("_")
        and not name.startswith("__")
        and name not in {"_asdict", "_field_defaults", "_fields", "_replace"}
    )


def test_a_function_has_at_most_60_lines_besides_its_docstring() -> None:
    lengths = {f"{name_of(path)}: {node.name}": length_of(node) for path in FILES for node in functions_of(path)}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MOST} == {}


def test_most_functions_have_at_most_20_lines() -> None:
    lengths = [length_of(node) for path in FILES for node in functions_of(path)]
    assert sum(length <= 20 for length in lengths) >= 0.85 * len(lengths)


def length_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    told = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    docstring = first.end_lineno - first.lineno + 1 if told else 0
    return node.end_lineno - node.lineno + 1 - docstring


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = [path for path in FILES if not name_of(path).startswith("wheel/celery/utils/")]  # that name is Celery's
    parts = {part.lower() for path in named for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & NAMES_OF_NOTHING == set()


def test_every_module_says_what_it_is() -> None:
    assert [name_of(path) for path in FILES if not ast.get_docstring(tree_of(path))] == []


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=name_of)
def test_what_an_init_exports_is_sorted_and_is_all_that_it_imports(path: Path) -> None:
    exports = exports_of(path)
    tree = tree_of(path)
    body = [node for node in tree.body if getattr(node, "name", "") not in LAZY]
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    defined = [node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    assert exports is not None or not names | set(defined)
    if exports is not None:
        assert exports == sorted(set(exports))
        assert set(exports) == set(defined) if defined else set(exports) == names - {"annotations"}
    assert defined == [] or name_of(path) in PUT_TOGETHER_IN_INIT


def test_only_clock_reads_the_wall_clock() -> None:
    read = {
        name_of(path)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL_CLOCKS
    }
    assert read == {"wheel/clock.py"}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in NAMED_TUPLES


def privates_defined_in(tree: ast.Module) -> Iterator[str]:
    """Private names that the classes of a file have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from (part.name for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)))
            targets = [
                part.targets if isinstance(part, ast.Assign) else [part.target]
                for part in node.body
                if isinstance(part, (ast.Assign, ast.AnnAssign))
            ]
            yield from (ast.unparse(target) for some in targets for target in some)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and ast.unparse(node.value) in ("self", "cls")
        ):
            yield node.attr


def privates_taken_in(tree: ast.Module) -> Iterator[str]:
    """Private names that a file takes from something else, but for modules that are not ours, and for its base."""
    foreign = {
        alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            if ast.unparse(node.value) not in {"self", "cls", "super()"} | foreign:
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield from (alias.name for alias in node.names if private(alias.name))


def test_no_room_takes_private_names_from_another() -> None:
    """What a room offers to others has a public name; a private one may be changed by whoever reads its folder."""
    defined: dict[Path, set[str]] = {}
    for path in FILES:
        defined.setdefault(path.parent, set()).update(privates_defined_in(tree_of(path)))
    taken = {name_of(path): {*privates_taken_in(tree_of(path))} - defined[path.parent] for path in FILES}
    assert {name: names for name, names in taken.items() if names} == {}


def bases_of_ours(node: ast.ClassDef, ours: set[str]) -> list[str]:
    names = [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]
    return [name for name in names if name in ours]


def test_no_class_is_put_together_of_several_of_ours() -> None:
    """A class has others; it inherits from one of them at most, so that it can be read from the top down."""
    classes = [(path, node) for path in FILES for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)]
    ours = {node.name for _, node in classes}
    several = {f"{name_of(path)}: {node.name}" for path, node in classes if len(bases_of_ours(node, ours)) > 1}
    assert several <= OF_SEVERAL
    [mixed] = ast.parse("class A(Clock, job.Job, Generic[R], Exception): ...").body
    assert isinstance(mixed, ast.ClassDef) and bases_of_ours(mixed, ours) == ["Clock", "Job"]


def test_private_names_that_are_taken_are_seen() -> None:
    tree = ast.parse(
        "import os\nfrom .other import _a, b\n\n_n = 1\ndef _o(): ...\nclass C(B):\n    _d = 1\n    def _m(self, app):\n        self._e = self._f._g\n"
        "        os._exit(0), super()._h, app._i, app._replace(j=1), app.k(), app.store()._l, cls._n, app._d, app._o, app.__class__"
    )
    assert {*privates_taken_in(tree)} == {"_a", "_g", "_i", "_l", "_d", "_o"}
    assert {*filter(private, privates_defined_in(tree))} == {"_d", "_m", "_e"}


def test_packages_of_ours_are_imported_relatively() -> None:
    absolute = {
        f"{name_of(path)}: {node.module}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] in OURS
    }
    assert absolute == set()


def test_the_readme_names_the_two_commands_a_newcomer_needs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
