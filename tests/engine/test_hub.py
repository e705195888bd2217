"""Downloads of pinned models, from a hub on this machine."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import hub, online
from engine.errors import ModelError
from engine.hub import Download
from tests.engine import hubserver
from tests.engine.hubserver import FakeHub
from tests.tiny import tiny_model

HUB_ID = "someone/tiny-mistral"
REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Mistral in five files, with files beside it that nobody needs."""
    folder = tiny_model(tmp_path_factory.mktemp("hub"), architecture="Mistral", shard="100KB")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling_mine.py").write_text("raise SystemExit")
    (folder / "consolidated.safetensors").write_bytes(bytes(1_000_000))
    return folder


@pytest.fixture
def fake(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """The hub that the library is pointed to."""
    with hubserver.serve(weights, HUB_ID, REVISION) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield served


@pytest.fixture
def download(tmp_path: Path) -> Download:
    """The request of an empty folder."""
    return Download("tiny-mistral", HUB_ID, REVISION, tmp_path / "models" / REVISION)


def never() -> bool:
    """Nobody stops it."""
    return False


def refused(download: Download) -> str:
    """The sentence of a failed download."""
    with pytest.raises(ModelError) as caught:
        hub.fetch(download, [].append, never)
    assert hub.here(download) is None
    return str(caught.value)


def test_a_download_brings_the_files_of_the_model_and_nothing_else(fake: FakeHub, download: Download) -> None:
    said: list[str] = []

    assert hub.fetch(download, said.append, never)

    found = {path.name for path in download.folder.iterdir() if path.is_file()}
    assert found == {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors.index.json",
        "shortlist.json",
        *(f"model-0000{number}-of-00005.safetensors" for number in range(1, 6)),
    }
    assert not [path for path in fake.asked if path.endswith((".bin", ".py", "consolidated.safetensors"))]
    assert said[0] == "looking for tiny-mistral on the hub"
    assert said[-1] == "checking tiny-mistral"


def test_a_model_that_is_here_is_not_asked_for_again(fake: FakeHub, download: Download) -> None:
    hub.fetch(download, [].append, never)
    fake.asked.clear()

    assert hub.fetch(download, [].append, never)

    assert fake.asked == []


def test_a_download_that_was_cut_short_goes_on_with_the_files_that_are_missing(
    fake: FakeHub, download: Download
) -> None:
    hub.fetch(download, [].append, never)
    (download.folder / "shortlist.json").unlink()
    (download.folder / "model-00003-of-00005.safetensors").unlink()
    fake.asked.clear()

    assert hub.fetch(download, [].append, never)

    fetched = [path for path in fake.asked if path.endswith(".safetensors")]
    assert {path.rpartition("/")[2] for path in fetched} == {"model-00003-of-00005.safetensors"}


def test_progress_is_said_in_percent_and_a_stop_ends_the_download(fake: FakeHub, download: Download) -> None:
    fake.pause_seconds = 0.2
    said: list[str] = []

    done = hub.fetch(download, said.append, lambda: any("%" in line for line in said))

    assert not done
    assert said[1].startswith("downloading tiny-mistral: ")
    assert said[1].endswith(" % of 0.0 GB")
    assert hub.here(download) is None


def test_a_download_ends_with_the_process_that_wanted_it(fake: FakeHub, download: Download) -> None:
    fake.pause_seconds = 5.0
    download.folder.mkdir(parents=True)
    with online.start("engine.hub", hub._request(download)) as child:
        assert child.stdin is not None
        child.stdin.close()  # as when the parent is killed

        assert child.wait(timeout=30) == 1


def test_two_processes_that_want_a_model_download_it_once(fake: FakeHub, download: Download) -> None:
    fake.pause_seconds = 0.02
    said: list[str] = []
    other = threading.Thread(target=hub.fetch, args=(download, said.append, never))
    other.start()

    assert hub.fetch(download, said.append, never)
    other.join()

    weights = [path for path in fake.asked if path.endswith("00001-of-00005.safetensors")]
    assert len(weights) == 1
    assert "waiting for the download of tiny-mistral" in said


@pytest.mark.slow
def test_without_a_network_the_sentence_says_what_to_do(
    download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")

        assert "the hub cannot be reached from this machine" in refused(download)


def test_a_gated_model_asks_for_its_licence_and_a_token(fake: FakeHub, download: Download) -> None:
    fake.refuse = (403, "GatedRepo")

    sentence = refused(download)

    assert f"accept it at https://huggingface.co/{HUB_ID}, set HF_TOKEN" in sentence


def test_a_token_that_is_refused_is_named_but_never_shown(
    fake: FakeHub, download: Download, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fake.refuse = (401, "")

    sentence = refused(download)

    assert "to the token in HF_TOKEN" in sentence
    assert "hf_secret" not in sentence


def test_a_commit_that_is_gone_is_called_gone(fake: FakeHub, download: Download) -> None:
    fake.refuse = (404, "RevisionNotFound")

    assert "no longer has someone/tiny-mistral at the commit" in refused(download)


def test_a_model_that_the_disk_cannot_hold_is_refused_before_its_first_byte(
    fake: FakeHub, download: Download
) -> None:
    fake.claimed["model-00001-of-00005.safetensors"] = 10**16

    assert "GB of disk" in refused(download)
    assert not [path for path in fake.asked if path.endswith(".safetensors")]


def test_a_damaged_file_is_refused_and_fetched_again_by_the_next_try(
    fake: FakeHub, download: Download
) -> None:
    fake.damaged.add("model-00002-of-00005.safetensors")
    assert "model-00002-of-00005.safetensors arrived damaged" in refused(download)

    fake.damaged.clear()
    assert hub.fetch(download, [].append, never)


def test_code_in_a_downloaded_config_is_refused(
    weights: Path, download: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = shutil.copytree(weights, tmp_path / "evil")
    text = (evil / "config.json").read_text()
    (evil / "config.json").write_text(text.replace("{", '{"auto_map": {"AutoModel": "x.Y"},', 1))
    with hubserver.serve(evil, HUB_ID, REVISION) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)

        assert "can make a loader run code" in refused(download)
