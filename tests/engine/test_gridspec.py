"""A grid's spec says everything that decides its results, and a wrong one is refused by its field."""

import json
from pathlib import Path

import pytest

from engine import grid
from engine.errors import ConfigError
from engine.gridspec import GridSpec, parse_spec
from engine.records import Method

MODEL = "shortlist-tiny-4m"
PART = {"datasets": ["a", "b"], "models": [MODEL], "methods": ["lora", "full"]}
LORA = {"learning_rate": [1e-3, 3e-3], "adapters": [[8, 16]]}


def spec_of(**fields: object) -> GridSpec:
    return parse_spec(json.dumps({"version": "t1", **fields}))


def test_the_short_form_is_a_spec_of_one_part() -> None:
    assert spec_of(**PART) == spec_of(parts=[PART])


def test_a_spec_reads_its_own_record_back() -> None:
    spec = spec_of(parts=[PART], space={"lora": LORA}, repeat={"top": 2, "seeds": [1]})

    assert GridSpec.model_validate(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"parts": []}, "the spec: parts: "),
        ({"parts": [{**PART, "seeds": [-1]}]}, "the spec: seeds.0: "),
        ({"parts": [PART, {**PART, "methods": ["qlora"]}]}, "the spec: parts.1.methods.0: "),
        ({**PART, "datasets": ["a", "a"]}, "the spec: datasets: .*stands there twice"),
        ({**PART, "dev_rows": 201}, "the spec: dev_rows: must be 200 or less, but is 201"),
        (
            {**PART, "space": {"lora": {"learning_rate": [2]}}},
            "the spec: space.lora.learning_rate.0: must be below 1, but is 2",
        ),
        ({**PART, "space": {"lora": {"learning_rate": [1e-3]}}}, "space.lora: adapters are for lora"),
        ({**PART, "space": {"full": LORA}}, "space.full: adapters are for lora"),
        (
            {**PART, "space": {"full": {"learning_rate": [1e-3], "lr_scheduler_type": ["zigzag"]}}},
            "'zigzag' is none of constant",
        ),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        spec_of(**fields)


def test_what_is_no_number_is_told_so_in_plain_words() -> None:
    with pytest.raises(ConfigError, match="learning_rate.0: must be a number such as 3e-4, but is 'fast'"):
        spec_of(**PART, space={"lora": {**LORA, "learning_rate": ["fast"]}})


def test_what_is_no_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be read as a grid spec"):
        parse_spec("version: [")


def test_a_space_of_its_own_replaces_the_product_s() -> None:
    spec = spec_of(**PART, space={"lora": LORA})

    lora = spec.configs(MODEL, Method.LORA)

    assert sorted({config.learning_rate for config in lora}) == [1e-3, 3e-3]
    assert {config.num_train_epochs for config in lora} == {1, 3, 5}
    assert len(spec.configs(MODEL, Method.FULL)) == 18


def test_a_dear_part_can_search_a_smaller_space() -> None:
    small = {"full": {"learning_rate": [1e-3]}}
    part = {**PART, "methods": ["full"]}
    spec = spec_of(parts=[part, {**part, "train_sizes": [1000], "space": small}])

    assert [len(spec.configs(MODEL, Method.FULL, part)) for part in spec.parts] == [18, 3]
    assert grid.count(spec).results == 2 * 18 + 2 * 3
    assert grid.scorings(spec) == 2 * 2


def test_the_count_knows_what_shares_a_training() -> None:
    constant = {"full": {"learning_rate": [1e-3, 3e-3], "num_train_epochs": [1, 3, 5]}}
    decaying = {"full": {**constant["full"], "lr_scheduler_type": ["cosine"]}}
    part = {**PART, "methods": ["full"]}

    shared = grid.count(spec_of(**part, space=constant, repeat={"top": 1, "seeds": [1, 2]}))
    alone = grid.count(spec_of(**part, space=decaying))

    assert shared == grid.Count(cells=2, trainings=4, results=12, repeats=4)
    assert alone == grid.Count(cells=2, trainings=12, results=12, repeats=0)


def test_an_unknown_default_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="no peer called 'magic'; choose llama-factory"):
        grid.count(spec_of(**PART, defaults=["magic"]))


def test_the_shipped_grid_is_as_large_as_it_says() -> None:
    spec = grid.read_spec(Path(grid.__file__).resolve().parents[1] / "grids" / "second.yaml")
    parts = [part for part in spec.parts if MODEL in part.models and part.train_sizes == (100,)]
    searched = [part for part in parts if not part.defaults]

    assert len(spec.datasets) == 14
    for method, least in ((Method.FULL, 24), (Method.LORA, 48)):
        configs = [
            c for part in searched if method in part.methods for c in spec.configs(MODEL, method, part)
        ]
        assert len({config.to_json() for config in configs}) == len(configs) >= least
    assert grid.count(spec) == grid.Count(cells=52, trainings=408, results=1_272, repeats=66)
