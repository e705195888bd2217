"""Exports through the queue: one at a time of a run, made by a worker, cancelled, gone with the attempt."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import psutil
import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import BusyError, ConfigError, ModelError, NotFoundError, StackError
from engine.export_parts import What
from jobs import exports, predictions, pushes, queue, stack, tasks
from jobs.exports import State
from tests import studies as small
from tests.engine import pushserver
from tests.jobs.conftest import ROOT, eventually, family, supervisor

SAMPLE = "s-20261121-5pnsyk"
WINNER, NO_WEIGHTS, BASE, TFIDF = (f"{SAMPLE}-{number}" for number in ("04", "02", "06", "08"))


@pytest.fixture
def files(home: Path) -> Artifacts:
    """The finished sample study, whose winner kept its adapter."""
    found = tasks.artifacts(settings.current())
    shutil.copytree(ROOT / "samples" / "study", found.datasets_root)
    return found


def test_a_card_is_made_and_packed(client: Redis, files: Artifacts) -> None:
    exports.build(NO_WEIGHTS, What.CARD)

    found = exports.view(NO_WEIGHTS)
    assert found.state is State.DONE and found.done is not None
    assert (found.done.parts, found.done.parity) == ((What.CARD,), ())
    with zipfile.ZipFile(exports.packed(NO_WEIGHTS)) as archive:
        names = {name.removeprefix(f"shortlist-{NO_WEIGHTS}/") for name in archive.namelist()}
        card = archive.read(f"shortlist-{NO_WEIGHTS}/README.md").decode()
    assert names == {"README.md", "config.yaml", "metrics.json", "prompt.json"}
    assert found.done.bytes == exports.packed(NO_WEIGHTS).stat().st_size
    assert "untuned base" in card and "tfidf" in card
    assert not list((settings.current().home / "scratch").glob("export-*"))

    exports.discard(NO_WEIGHTS)
    assert exports.view(NO_WEIGHTS).state is State.NONE
    with pytest.raises(NotFoundError, match="has no export"):
        exports.packed(NO_WEIGHTS)


def test_a_baseline_is_made_checked_and_packed_without_the_model(client: Redis, files: Artifacts) -> None:
    assert predictions.run_of(SAMPLE) == TFIDF
    assert predictions.model_of(SAMPLE) == WINNER

    exports.build(TFIDF, What.ALL)

    found = exports.view(TFIDF).done
    assert found is not None and found.parts == (What.BASELINE, What.CARD) and found.left_out == {}
    assert [entry.rows for entry in found.parity] == [103]
    with zipfile.ZipFile(exports.packed(TFIDF)) as archive:
        names = {name.removeprefix(f"shortlist-{TFIDF}/") for name in archive.namelist()}
    assert {"model.skops", "predict.py", "labels.json", "README.md"} <= names


def test_the_run_listing_does_not_take_an_export_for_an_attempt(client: Redis, files: Artifacts) -> None:
    exports.build(NO_WEIGHTS, What.CARD)

    assert files.attempts(NO_WEIGHTS) == [1]
    files.delete_study(SAMPLE)
    assert exports.view(NO_WEIGHTS).state is State.NONE


def test_a_part_that_cannot_be_had_is_refused_before_anything_is_queued(
    client: Redis, files: Artifacts
) -> None:
    with pytest.raises(ModelError, match="kept no weights"):
        exports.request(NO_WEIGHTS, What.MERGED)
    with pytest.raises(ModelError, match="no tuned model"):
        exports.request(BASE, What.ALL)
    with pytest.raises(NotFoundError):
        exports.request(f"{SAMPLE}-77", What.ALL)
    assert queue.waiting(client) == []


def test_one_export_of_a_run_at_a_time_and_a_waiting_one_can_be_cancelled(
    client: Redis, files: Artifacts
) -> None:
    exports.request(WINNER, What.ALL)

    assert (exports.view(WINNER).state, exports.view(WINNER).place) == (State.QUEUED, 1)
    with pytest.raises(BusyError, match="being exported already"):
        exports.request(WINNER, What.CARD)
    exports.request(NO_WEIGHTS, What.CARD)

    exports.cancel(WINNER)
    assert exports.view(WINNER).state is State.NONE
    with pytest.raises(NotFoundError, match="was cancelled"):
        exports.wait(WINNER, lambda text: None)


def test_a_failure_is_one_sentence_until_the_next_request(client: Redis, files: Artifacts) -> None:
    (files.open_attempt(WINNER, 1) / "adapter" / "adapter_config.json").unlink()

    exports.build(WINNER, What.ADAPTER)

    assert exports.view(WINNER).state is State.FAILED
    assert "adapter_config.json" in str(exports.view(WINNER).error)
    with pytest.raises(StackError, match=r"adapter_config\.json"):
        exports.wait(WINNER, lambda text: None)
    exports.request(WINNER, What.CARD)
    assert exports.view(WINNER).state is State.QUEUED


def test_an_export_of_an_earlier_attempt_is_not_shown(client: Redis, files: Artifacts) -> None:
    exports.build(NO_WEIGHTS, What.CARD)

    files.write_result(small.result(NO_WEIGHTS, attempt=2))

    assert exports.view(NO_WEIGHTS).state is State.NONE


def test_a_cancelled_build_leaves_nothing(client: Redis, files: Artifacts) -> None:
    client.set(queue.stop_key(f"export-{WINNER}"), tasks.DISCARD)

    exports.build(WINNER, What.ALL)

    assert files.read_export(WINNER, exports.FACTS) is None
    assert not list((settings.current().home / "scratch").glob("export-*"))


def test_what_is_kept_is_json(client: Redis, files: Artifacts) -> None:
    exports.build(NO_WEIGHTS, What.ALL)

    facts = json.loads(files.read_export(NO_WEIGHTS, exports.FACTS) or b"")
    assert facts["parts"] == ["script", "card"]
    assert set(facts["left_out"]) == {"adapter", "merged", "gguf-f16", "gguf-q8_0"}


def test_an_export_of_weights_goes_to_the_hub_one_with_rows_does_not(
    client: Redis, files: Artifacts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    _keep(files, tmp_path, parts=["adapter", "card"])
    with pushserver.serve() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(ConfigError, match="A repository is named like"):
            pushes.request(WINNER, "../evil")
        pushes.request(WINNER, "tickets")
        with pytest.raises(BusyError, match="being uploaded already"):
            pushes.request(WINNER, "tickets")
        queue.forget(client, f"push-{WINNER}")
        pushes.upload(WINNER, "tickets", pushes.PRIVATE)

        assert pushes.view(WINNER)[1] == f"{hub.url}/{pushserver.ACCOUNT}/tickets"
        assert hub.files == {"README.md": b"# A card", "adapter/weights": b"w"}
        hub.refuse = 403
        pushes.upload(WINNER, "tickets", pushes.PUBLIC)
        assert "set one that may write" in str(pushes.view(WINNER)[0].error)

    _keep(files, tmp_path, parts=["adapter", "script", "card"])
    with pytest.raises(ModelError, match="no export that can be uploaded"):
        pushes.request(WINNER, "tickets")


def _keep(files: Artifacts, tmp_path: Path, parts: list[str]) -> None:
    """A finished export of the winner as a worker leaves it."""
    with zipfile.ZipFile(tmp_path / exports.ZIP, "w") as archive:
        archive.writestr("run/README.md", "# A card")
        archive.writestr("run/adapter/weights", "w")
    files.keep_export(WINNER, tmp_path / exports.ZIP)
    facts = {"what": "adapter", "attempt": 1, "created": 0.0, "bytes": 3, "parts": parts}
    facts |= {"left_out": {}, "parity": []}
    files.write_export(WINNER, exports.FACTS, json.dumps(facts).encode())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_worker_makes_and_checks_an_export_and_a_cancel_ends_its_process(
    files: Artifacts, home: Path
) -> None:
    with stack.start(user="test", workers=1):
        exports.request(WINNER, What.ADAPTER)
        said: list[str] = []
        done = exports.wait(WINNER, said.append)

        assert [entry.sentence for entry in done.parity] == ["Same answers on 103 of 103 test rows"]
        assert any(text.startswith("Checking adapter") for text in said)

        exports.request(WINNER, What.ADAPTER)
        eventually(lambda: answering(home), seconds=60)
        (child,) = answering(home)
        exports.cancel(WINNER)
        eventually(lambda: exports.view(WINNER).state is State.NONE, seconds=20)
        assert not psutil.pid_exists(child.pid)


def answering(home: Path) -> list[psutil.Process]:
    """Processes of this home that load an export afresh."""
    return [p for p in family(supervisor(home)) if any("answer.py" in word for word in p.cmdline())]
