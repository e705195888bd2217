"""What may be wrong with this machine and home, and how to put it right; nothing is started or changed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine import judge, models, tracking
from engine import settings as settings_module
from engine.errors import ConfigError
from engine.settings import Settings
from jobs import home, judgeclient, process, queue, stack, supervisor, webhook

LEAST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 2 * 10**9
REQUIREMENTS = supervisor.ROOT / "requirements.txt"
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;#]+)")


class Status(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do unless it is well."""

    name: str
    status: Status
    found: str
    fix: str = ""


def checks() -> list[Check]:
    """Everything worth knowing when something does not work."""
    settings = settings_module.current()
    machine = [_python(), _packages(REQUIREMENTS), _home(settings), _space(settings), _socket(settings)]
    told = [*_tracking(settings), *_webhook(settings), _judge(settings)]
    return [*machine, _redis(settings), *_workers(settings), *_models(), _gpu(), *told]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= LEAST_PYTHON:
        return Check("Python", Status.OK, found)
    return Check("Python", Status.PROBLEM, found, "Install Python 3.11 or newer and run `make run` again.")


def _packages(requirements: Path) -> Check:
    pins = dict(_PIN.findall(requirements.read_text())) if requirements.exists() else {}
    wrong = list(filter(None, (_difference(name, pinned) for name, pinned in pins.items())))
    if not wrong:
        return Check("Packages", Status.OK, f"{len(pins)} as pinned")
    status = Status.PROBLEM if any("missing" in text for text in wrong) else Status.WARNING
    return Check("Packages", status, "; ".join(wrong), "Run `make run`, which installs the pinned versions.")


def _difference(name: str, pinned: str) -> str | None:
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} {pinned} is missing"
    return None if found.partition("+")[0] == pinned else f"{name} is {found}, pinned is {pinned}"


def _home(settings: Settings) -> Check:
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if os.access(existing, os.W_OK):
        return Check("Home", Status.OK, str(settings.home))
    fix = "Set SHORTLIST_HOME to a folder that you may write to."
    return Check("Home", Status.PROBLEM, f"{existing} cannot be written to", fix)


def _space(settings: Settings) -> Check:
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / 1e9:.1f} GB free"
    if free >= LEAST_FREE_BYTES:
        return Check("Disk", Status.OK, found)
    return Check("Disk", Status.WARNING, found, "Free some space, or set SHORTLIST_HOME to another disk.")


def _socket(settings: Settings) -> Check:
    path = queue.socket_folder(settings) / "redis.sock"
    if settings.redis_url:
        return Check("Socket", Status.OK, "not needed: REDIS_URL is set")
    if len(str(path)) <= home.SOCKET_PATH_LIMIT:
        return Check("Socket", Status.OK, str(path))
    return Check("Socket", Status.PROBLEM, f"{path} is too long", "Set TMPDIR to a shorter folder.")


def _redis(settings: Settings) -> Check:
    if settings.redis_url:
        if queue.answers(settings):
            return Check("Redis", Status.OK, "REDIS_URL answers")
        fix = "Start that server, or unset REDIS_URL to use one of our own."
        return Check("Redis", Status.PROBLEM, "REDIS_URL is set but does not answer", fix)
    try:
        program = supervisor.redis_server()
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (ImportError, OSError, subprocess.CalledProcessError) as error:
        fix = "Install redis-server, or run `make run`, which brings one along."
        return Check("Redis", Status.PROBLEM, f"no server program works ({error})", fix)
    running = "running" if queue.answers(settings) else "not running"
    return Check("Redis", Status.OK, f"{version.split(' sha')[0].strip()}, {running} ({program})")


def _workers(settings: Settings) -> Iterator[Check]:
    view = stack.view(settings)
    if not view.redis:
        yield Check("Workers", Status.OK, "none: nothing is running, `serve` or `tune` starts them")
        return
    if view.problem:
        yield Check("Workers", Status.PROBLEM, view.problem, f"Read the logs in {settings.logs}.")
    elif not view.workers:
        fix = f"Wait ten seconds; if none comes, read the logs in {settings.logs}."
        yield Check("Workers", Status.WARNING, "none listens yet", fix)
    for worker in view.workers:
        doing = f"working on {worker.run}" if worker.run else worker.state
        yield Check("Worker", Status.OK, f"{worker.name}: {doing}")


def _models() -> Iterator[Check]:
    for name in models.EMBEDDED:
        weights = models.FOLDER / name / models.WEIGHTS
        facts = models.FOLDER / name / "pretraining.json"
        if not weights.is_file():
            fix = f"Restore models/{name} from the repository."
            yield Check("Model", Status.PROBLEM, f"{name} has no weights", fix)
        elif facts.is_file() and _expected(facts) != models.sha256(models.get(name)):
            fix = f"Restore models/{name}/{models.WEIGHTS} from the repository: grids name it by its sha256."
            yield Check(
                "Model", Status.PROBLEM, f"the weights of {name} are not those it was shipped with", fix
            )
        else:
            yield Check("Model", Status.OK, name)
    for model in models.PACKAGED:
        if lacking := models.obstacle(model):
            yield Check("Packaged model", Status.WARNING, f"{model.id} is not here", lacking)
        else:
            yield Check("Packaged model", Status.OK, model.id)


def _tracking(settings: Settings) -> Iterator[Check]:
    try:
        names = tracking.chosen(settings.report_to)
    except ConfigError as error:
        yield Check("Tracking", Status.PROBLEM, str(error), "Correct it where the workers are started.")
        return
    lacking = tracking.missing(names)
    if lacking:
        yield Check("Tracking", Status.WARNING, " ".join(lacking), "Until then runs are not tracked there.")
    elif names:
        yield Check("Tracking", Status.OK, ", ".join(names))


def _webhook(settings: Settings) -> Iterator[Check]:
    if settings.webhook is None:
        return
    try:
        host = webhook.host(settings.webhook.get_secret_value())
    except ConfigError as error:
        yield Check("Webhook", Status.PROBLEM, str(error), "Correct it and start the pages again.")
        return
    failed = webhook.last_problem(settings)
    if failed:
        fix = "Check SHORTLIST_WEBHOOK and that this machine reaches it; the next study is told again."
        yield Check("Webhook", Status.WARNING, failed, fix)
    else:
        yield Check("Webhook", Status.OK, f"{host} is told of each study that has ended")


def _judge(settings: Settings) -> Check:
    """Asks for the list of models only: no row is sent."""
    try:
        endpoint = judge.endpoint(settings)
    except ConfigError as error:
        return Check("Judge", Status.PROBLEM, str(error), "Correct it and start pages and workers again.")
    if endpoint is None:
        return Check("Judge", Status.OK, "none is configured, and none is needed")
    try:
        with judgeclient.Client(endpoint, settings) as client:
            offered = client.models()
    except judgeclient.NoChoiceError as error:
        fix = "Check SHORTLIST_JUDGE_URL and SHORTLIST_JUDGE_KEY, and that this machine reaches it."
        return Check("Judge", Status.WARNING, f"{endpoint.host}: {error}", fix)
    if offered is not None and endpoint.model not in offered:
        fix = "Set SHORTLIST_JUDGE_MODEL to a model that it offers."
        return Check("Judge", Status.WARNING, f"{endpoint.host} does not list {endpoint.model}", fix)
    return Check("Judge", Status.OK, f"{endpoint.model} at {endpoint.host} answers")


def _expected(facts: Path) -> str:
    return str(json.loads(facts.read_text())["sha256"][models.WEIGHTS])


def _gpu() -> Check:
    if not process.gpus():
        return Check("GPU", Status.OK, "none: runs train on the processor")
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError) as error:
        fix = "Install the NVIDIA driver, or set CUDA_VISIBLE_DEVICES= to train without the GPU."
        return Check("GPU", Status.WARNING, f"there is one, but nvidia-smi does not work ({error})", fix)
    if "+cpu" in importlib.metadata.version("torch"):
        fix = "Run `make run GPU=1`, which installs the CUDA build of torch."
        return Check("GPU", Status.WARNING, "torch is the build without CUDA", fix)
    return Check("GPU", Status.OK, "; ".join(found.strip().splitlines()))
