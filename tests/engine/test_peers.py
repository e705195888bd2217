"""Other tools' defaults: each stated with its source, and fit to be run."""

import pytest

from engine import peers
from engine.errors import ConfigError
from engine.records import Config, Method

TOOLS = ["llama-factory", "h2o-llm-studio", "autotrain", "unsloth", "axolotl"]


@pytest.mark.parametrize("method", Method)
def test_every_tool_has_one_default_for_each_method(method: Method) -> None:
    assert [peer.name for peer in peers.defaults(method)] == TOOLS


def test_every_default_names_a_file_at_a_commit() -> None:
    for peer in peers.PEERS:
        assert peer.source.repository.count("/") == 1
        assert len(peer.source.commit) == 40
        assert int(peer.source.commit, 16) > 0


def test_a_default_is_found_by_name() -> None:
    assert peers.named("autotrain", Method.LORA).config == Config(
        3e-5, 1, 2, 4, "linear", warmup_ratio=0.1, lora_r=16, lora_alpha=32, lora_dropout=0.05
    )
    with pytest.raises(ConfigError, match="choose llama-factory"):
        peers.named("nobody", Method.FULL)
