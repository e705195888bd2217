"""Puts a finished export of a run on the hub, by a worker; only where a token is configured."""

from __future__ import annotations

import json
import shutil

from engine import export, push
from engine import settings as settings_module
from engine.errors import BusyError, ModelError, ShortlistError
from engine.export_parts import GGUFS, Cancelled, What
from engine.push import Target
from jobs import exports, queue, tasks
from jobs.exports import ExportView, State

TASK = "jobs.pushes.upload"
FACTS = "push.json"
PRIVATE, PUBLIC = "private", "public"


def can_push(done: exports.Done) -> bool:
    """Whether a token is configured and the export holds weights, and none of the user's rows."""
    weights = {What.ADAPTER, What.MERGED, *GGUFS} & set(done.parts)
    return push.can_push() and bool(weights) and What.SCRIPT not in done.parts


def request(run: str, repository: str, *, private: bool = True) -> None:
    """Have the run's export uploaded into a new repository; raises ConfigError for a name that is none."""
    target = Target(repository, private)
    client, found = queue.require(settings_module.current()), exports.view(run)
    if found.done is None or not can_push(found.done):
        raise ModelError("There is no export that can be uploaded. Export the adapter or the model alone.")
    if view(run)[0].state in (State.QUEUED, State.RUNNING):
        raise BusyError(f"The export of run {run} is being uploaded already. Wait for it.")
    queue.forget(client, _job(run))
    client.delete(queue.stop_key(_job(run)), queue.progress_key(_job(run)))
    visible = PRIVATE if target.private else PUBLIC
    queue.enqueue_question(client, TASK, _job(run), run, target.repository, visible)


def view(run: str) -> tuple[ExportView, str | None]:
    """How the upload of the run's present export stands, and its address when it is done."""
    settings = settings_module.current()
    if queue.answers(settings):
        client = queue.connection(settings, retries=0)
        if (found := exports.live(client, _job(run))) is not None:
            return found, None
    content = tasks.artifacts(settings).read_export(run, FACTS)
    values = {} if content is None else json.loads(content)
    if "url" in values:
        return ExportView(State.DONE), values["url"]
    return ExportView(State.FAILED if values else State.NONE, error=values.get("error")), None


def upload(run: str, repository: str, visible: str) -> None:
    """The RQ job; the address, or one sentence of failure, is kept beside the export."""
    settings = settings_module.current()
    client, files = queue.connection(settings), tasks.artifacts(settings)
    scratch = settings.home / "scratch" / _job(run)
    shutil.rmtree(scratch, ignore_errors=True)  # of a worker that was lost
    try:
        export.unpack(exports.packed(run), scratch)
        target = Target(repository, visible == PRIVATE)
        facts = {"url": push.push(scratch, target, exports.hooks(client, _job(run)))}
    except Cancelled:
        return
    except ShortlistError as error:
        facts = {"error": str(error)}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    files.write_export(run, FACTS, json.dumps(facts).encode())


def _job(run: str) -> str:
    return f"push-{run}"
