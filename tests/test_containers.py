"""Docker is not there when tests run: the container files are checked for what can be checked without it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def test_the_image_runs_as_a_user_and_reports_its_health() -> None:
    assert re.search(r"^USER (?!root)", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", DOCKERFILE, re.MULTILINE)


def test_the_image_is_built_in_two_stages_from_named_versions() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert len(bases) == 2
    assert all(":" in base and not base.endswith(":latest") for base in bases)


def test_what_the_image_copies_exists() -> None:
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []


def test_web_and_worker_share_redis_and_artifacts() -> None:
    web, worker = COMPOSE["services"]["web"], COMPOSE["services"]["worker"]

    assert web["environment"]["REDIS_URL"] == worker["environment"]["REDIS_URL"]
    assert web["volumes"] == worker["volumes"]


def test_torch_is_the_same_version_wherever_it_is_installed() -> None:
    found = {
        name: set(re.findall(r"torch==([\d.]+)", (ROOT / name).read_text()))
        for name in ("requirements.txt", "Dockerfile", "Makefile")
    }

    assert len(set.union(*found.values())) == 1
