"""Imports point one way: pages and cli -> jobs -> engine; the heavy libraries stay inside functions."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")
# Each module is imported first of ours, as in a fresh process; the libraries stay, two seconds a module saved
IMPORT_EACH_FIRST = """
import importlib, json, sys
names, forbidden = json.loads(sys.argv[1])
found = {}
for name in names:
    for ours in [m for m in sys.modules if m.partition(".")[0] in ("engine", "jobs", "cli")]:
        del sys.modules[ours]
    importlib.import_module(name)
    found[name] = sorted({m.partition(".")[0] for m in sys.modules} & set(forbidden))
    if found[name]:
        break
print(json.dumps({name: those for name, those in found.items() if those}))
"""


def modules(folder: str) -> list[str]:
    return [
        f"{folder}.{path.stem}" for path in sorted((ROOT / folder).glob("*.py")) if path.stem != "__init__"
    ]


def brought_in(names: list[str], forbidden: set[str]) -> dict[str, list[str]]:
    """The first of the modules that brings in something forbidden, and what."""
    program = [sys.executable, "-c", IMPORT_EACH_FIRST, json.dumps([names, sorted(forbidden)])]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def imports_anywhere(path: Path) -> set[str]:
    """Top-level packages that a file imports at any place in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_no_engine_module_brings_in_pages_queue_or_training_libraries() -> None:
    assert brought_in(modules("engine"), {"streamlit", "rq", "redis", "jobs", "pages", *HEAVY}) == {}


def test_no_jobs_module_brings_in_pages_or_training_libraries() -> None:
    assert brought_in([*modules("jobs"), "cli"], {"streamlit", "pages", *HEAVY}) == {}


def test_what_a_module_brings_in_is_found() -> None:
    assert brought_in(["engine.errors", "jobs.queue", "engine.records"], {"redis"}) == {
        "jobs.queue": ["redis"]
    }


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
