"""Rows are dealt out three ways: sizes as designed, labels in proportion, groups whole, the seed decides."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import splits


@pytest.mark.parametrize(
    ("rows", "train", "dev", "test"),
    [
        (4, 2, 1, 1),
        (100, 50, 25, 25),
        (199, 101, 49, 49),
        (1000, 500, 250, 250),
        (1001, 501, 250, 250),
        (1500, 875, 250, 375),
        (2000, 1250, 250, 500),
        (100_000, 99_250, 250, 500),
    ],
)
def test_sizes_follow_the_design(rows: int, train: int, dev: int, test: int) -> None:
    assert splits.sizes(rows) == {"train": train, "dev": dev, "test": test}


@pytest.mark.parametrize(("rows", "train", "dev"), [(90, 60, 30), (750, 500, 250), (3000, 2750, 250)])
def test_an_own_test_file_leaves_train_and_dev(rows: int, train: int, dev: int) -> None:
    assert splits.sizes(rows, own_test=True) == {"train": train, "dev": dev, "test": 0}


def test_labels_are_dealt_out_in_proportion() -> None:
    strata = ["common"] * 160 + ["rare"] * 40

    found = splits.assign(splits.sizes(200), strata, range(200), seed=0)

    assert {name: Counter(strata[i] for i in rows) for name, rows in found.items()} == {
        "train": {"common": 80, "rare": 20},
        "dev": {"common": 40, "rare": 10},
        "test": {"common": 40, "rare": 10},
    }


def test_a_label_with_one_row_is_learned() -> None:
    strata = ["a"] * 50 + ["b"] * 49 + ["once"]

    for seed in range(10):
        assert 99 in splits.assign(splits.sizes(100), strata, range(100), seed)["train"]


def test_a_group_stays_on_one_side() -> None:
    groups = [index // 5 for index in range(200)]

    found = splits.assign(splits.sizes(200), [""] * 200, groups, seed=0)

    sides = [{groups[i] for i in rows} for rows in found.values()]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert {name: len(rows) for name, rows in found.items()} == {"train": 100, "dev": 50, "test": 50}


def test_the_seed_decides() -> None:
    def deal(seed: int) -> dict[str, tuple[int, ...]]:
        return splits.assign(splits.sizes(100), [""] * 100, range(100), seed)

    assert deal(1) == deal(1)
    assert deal(1) != deal(2)


def test_splits_do_not_follow_the_order_of_the_file() -> None:
    found = splits.assign(splits.sizes(400), [""] * 400, range(400), seed=0)

    for rows in found.values():
        assert 150 < sum(rows) / len(rows) < 250


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), min_size=4, max_size=80), st.integers(0, 5))
def test_every_row_is_in_one_split_and_every_group_whole(rows: list[tuple[int, int]], seed: int) -> None:
    strata, groups = [str(label) for label, _ in rows], [group for _, group in rows]

    found = splits.assign(splits.sizes(len(rows)), strata, groups, seed)

    assert sorted(i for part in found.values() for i in part) == list(range(len(rows)))
    assert sum(len({groups[i] for i in part}) for part in found.values()) == len(set(groups))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=4, max_size=300), st.integers(0, 5))
def test_without_groups_sizes_are_exact_and_every_label_is_learned(labels: list[int], seed: int) -> None:
    wanted = splits.sizes(len(labels))

    found = splits.assign(wanted, list(map(str, labels)), range(len(labels)), seed)

    assert {name: len(rows) for name, rows in found.items()} == wanted
    if len(set(labels)) <= wanted["train"]:
        assert {labels[i] for i in found["train"]} == set(labels)
