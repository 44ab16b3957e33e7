"""Within a package no imports in a circle, those for type checking included; no long functions, no long files."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from checkout import PROJECT

_MYPY = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["mypy"]
PACKAGES = [PROJECT / folder / name for folder in _MYPY["mypy_path"] for name in _MYPY["packages"]]
PACKAGES = [package for package in PACKAGES if package.is_dir()]

_MOST_LINES = {"function": 60, "file": 400}


def imports(package: Path) -> dict[str, set[str]]:
    """The modules of a package, each with those that it imports, wherever in it."""
    files = {".".join(path.relative_to(package.parent).with_suffix("").parts): path for path in package.rglob("*.py")}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        asked = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                asked |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                asked |= whole & files.keys() or {node.module}
        found[name] = asked & files.keys() - {name}
    return found


def circle(graph: dict[str, set[str]]) -> str:
    """One circle of a graph, from a module to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


@pytest.mark.parametrize("package", PACKAGES, ids=[package.name for package in PACKAGES])
def test_no_imports_in_a_circle(package: Path) -> None:
    graph = imports(package)
    assert sum(map(len, graph.values())) > len(graph) // 2
    assert not (found := circle(graph)), found


def test_every_package_is_looked_at_and_a_circle_is_seen_also_of_types(tmp_path: Path) -> None:
    assert {package.name for package in PACKAGES} == set(_MYPY["packages"])
    package = tmp_path / "sound"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "upper.py").write_text("from sound import lower\n")
    (package / "lower.py").write_text("import json\n")
    assert imports(package) == {"sound": set(), "sound.upper": {"sound.lower"}, "sound.lower": set()}
    (package / "lower.py").write_text("if TYPE_CHECKING:\n    from sound.upper import Thing\n")
    assert set(circle(imports(package)).split(" <- ")) == {"sound.upper", "sound.lower"}


def test_what_the_benchmarks_import_is_there() -> None:
    """They run by hand alone, and some import only when a measurement begins."""
    asked = 0
    for path in sorted(path for path in (PROJECT / "benchmarks").rglob("*.py") if "/." not in str(path)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in _MYPY["packages"]:
                found = importlib.import_module(str(node.module))
                lost = [alias.name for alias in node.names if not hasattr(found, alias.name)]
                assert not lost, f"{path.name}, line {node.lineno}: {node.module} has no {lost}"
                asked += 1
    assert asked


def too_long(path: Path) -> Iterator[str]:
    """A file and functions of it that have too many lines."""
    text = path.read_text()
    if (lines := len(text.splitlines())) > _MOST_LINES["file"]:
        yield f"{path.name}: {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > _MOST_LINES["function"]:
                yield f"{path.name}: {node.name} has {lines} lines"


@pytest.mark.parametrize("package", [*PACKAGES, PROJECT / "benchmarks"], ids=lambda package: package.name)
def test_no_function_and_no_file_is_too_long(package: Path) -> None:
    files = [path for path in package.rglob("*.py") if "/." not in str(path) and "tests" not in path.parts[-2:]]
    assert files
    assert not [found for path in files for found in too_long(path)]


def test_a_long_function_and_a_long_file_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def short():\n" + "    pass\n" * 59 + "\n" * 340)
    assert list(too_long(path)) == []
    path.write_text("def long():\n" + "    pass\n" * 60 + "\n" * 340)
    assert list(too_long(path)) == ["long.py: 401 lines", "long.py: long has 61 lines"]
