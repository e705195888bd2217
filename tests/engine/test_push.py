"""An export goes to the hub whole, into a new repository, with the configured token, and never with rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import push
from engine.errors import ConfigError, ModelError
from engine.export_parts import Hooks
from engine.push import Target
from tests.engine import pushserver
from tests.engine.pushserver import PushHub

QUIET = Hooks(lambda text: None, lambda: False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PushHub]:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pushserver.serve() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What an export of the whole model looks like."""
    (tmp_path / "out" / "merged").mkdir(parents=True)
    (tmp_path / "out" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    (tmp_path / "out" / "merged" / "model.safetensors").write_bytes(b"weights")
    return tmp_path / "out"


def test_every_file_arrives_in_a_new_private_repository(hub: PushHub, folder: Path) -> None:
    found = push.push(folder, Target("my-model"), QUIET)

    assert found == f"{hub.url}/{pushserver.ACCOUNT}/my-model"
    assert hub.created[0]["visibility"] == "private"
    assert hub.files["merged/model.safetensors"] == b"weights"
    assert set(hub.files) == {"README.md", "merged/model.safetensors"}
    assert hub.tokens == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "set one that may write"), (409, "nothing is overwritten"), (500, "status 500")],
)
def test_what_the_hub_refuses_is_one_sentence_without_the_token(
    hub: PushHub, folder: Path, status: int, words: str
) -> None:
    hub.refuse = status

    with pytest.raises(ModelError, match=words) as raised:
        push.push(folder, Target("somebody/my-model"), QUIET)
    assert "hf_secret" not in str(raised.value)


def test_rows_are_never_put_on_the_hub(hub: PushHub, folder: Path) -> None:
    (folder / "data").mkdir()

    with pytest.raises(ModelError, match="An export with rows"):
        push.push(folder, Target("my-model"), QUIET)
    assert hub.created == []


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../x", "a b", "x;rm -rf", "http://evil/x", "-x", "a--b", "a\nb"]
)
def test_only_a_name_is_a_repository(name: str) -> None:
    with pytest.raises(ConfigError, match="A repository is named like"):
        Target(name)


def test_without_a_token_there_is_no_push(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert not push.can_push()
