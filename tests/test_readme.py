"""The README's commands and files exist."""

import re
from pathlib import Path

from typer.testing import CliRunner

import cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"cli\.py ([\w-]+)", README))

    known = {
        command.name or command.callback.__name__
        for command in cli.app.registered_commands
        if command.callback
    } | {group.name for group in cli.app.registered_groups}

    assert named <= known


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"make (run|test|check|unit|bench)\b", README)) <= targets


def test_every_file_and_picture_of_the_readme_exists() -> None:
    named = re.findall(r"\]\((?!http)([^)]+)\)|`((?:[\w.-]+/)*[\w-]+\.(?:txt|yaml|py))`", README)

    assert [name for pair in named for name in pair if name and not (ROOT / name).exists()] == []


def test_help_explains_every_command() -> None:
    result = CliRunner().invoke(cli.app, ["--help"])

    assert result.exit_code == 0
    assert all(name in result.output for name in ("check", "tune", "predict", "rank", "serve", "doctor"))
