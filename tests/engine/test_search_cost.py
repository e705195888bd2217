"""The size of a search before it begins: epochs as the space has them, what is dropped half-way left out."""

from __future__ import annotations

import pytest

from engine.records import Method
from engine.search import SearchMethod
from engine.search_cost import likely_configs, trained_share
from engine.searchspace import space_of

LORA = space_of("shortlist-tiny-4m", Method.LORA)


def test_configs_are_spread_evenly_over_the_epochs_that_are_searched() -> None:
    configs = likely_configs(SearchMethod.TPE, LORA, 8)

    assert [config.num_train_epochs for config in configs] == [1, 3, 5, 10] * 2


def test_the_protocol_tries_the_epochs_that_it_starts_from() -> None:
    configs = likely_configs(SearchMethod.PROTOCOL, LORA, 5)

    assert {config.num_train_epochs for config in configs} == {LORA.fixed.num_train_epochs}


@pytest.mark.parametrize(
    ("method", "runs", "share"),
    [
        (SearchMethod.TPE, 8, 1.0),
        (SearchMethod.PROTOCOL, 5, (1 + 4 * 0.2) / 5),
        (SearchMethod.HALVING, 9, (9 * 0.2 + 3 * 0.4 + 1 * 0.4) / 9),
    ],
)
def test_what_is_dropped_half_way_costs_only_its_share(method: SearchMethod, runs: int, share: float) -> None:
    assert trained_share(method, runs) == pytest.approx(share)
