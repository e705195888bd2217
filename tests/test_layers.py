"""Imports point one way: pages and cli -> jobs -> engine; the heavy libraries stay inside functions."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
LIST_MODULES = (
    "import sys, json, importlib; importlib.import_module({name!r}); print(json.dumps(list(sys.modules)))"
)


def modules(folder: str) -> list[str]:
    return [
        f"{folder}.{path.stem}" for path in sorted((ROOT / folder).glob("*.py")) if path.stem != "__init__"
    ]


def imported_by(name: str) -> set[str]:
    """Top-level packages and our own modules that importing a module brings in, in a fresh process."""
    program = LIST_MODULES.format(name=name)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {found.partition(".")[0] for found in json.loads(done.stdout)}


def imports_anywhere(path: Path) -> set[str]:
    """Top-level packages that a file imports at any place in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", modules("engine"))
def test_an_engine_module_brings_in_neither_pages_nor_queue_nor_training_libraries(name: str) -> None:
    assert not imported_by(name) & {"streamlit", "rq", "redis", "jobs", "pages", *HEAVY}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*modules("jobs"), "cli"])
def test_a_jobs_module_brings_in_neither_pages_nor_training_libraries(name: str) -> None:
    assert not imported_by(name) & {"streamlit", "pages", *HEAVY}


def test_no_function_reaches_around_the_layers() -> None:
    for path in (ROOT / "engine").glob("*.py"):
        assert not imports_anywhere(path) & {"streamlit", "rq", "redis", "jobs", "pages"}, path
    for path in (ROOT / "jobs").glob("*.py"):
        assert not imports_anywhere(path) & {"streamlit", "pages"}, path


def test_libraries_with_one_home_stay_there() -> None:
    homes = {
        "duckdb": {"store.py"},
        "plotly": {path.name for path in (ROOT / "engine").glob("figures*.py")},
    }
    for library, allowed in homes.items():
        users = {path.name for path in (ROOT / "engine").glob("*.py") if library in imports_anywhere(path)}
        assert users <= allowed, f"{library} is imported in {users - allowed}"
        assert not [path for path in (ROOT / "jobs").glob("*.py") if library in imports_anywhere(path)]


def test_records_and_errors_import_nothing_of_ours() -> None:
    assert "engine" not in imports_anywhere(ROOT / "engine" / "errors.py")
    records = (ROOT / "engine" / "records.py").read_text()
    ours = [line for line in records.splitlines() if line.startswith(("from engine", "import engine"))]
    assert ours == ["from engine.errors import ConfigError"]
