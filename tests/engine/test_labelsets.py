"""Several labels in one answer: the fixed order, what is read of an answer, its scores and baseline."""

from __future__ import annotations

import pytest

from engine import labelsets
from engine.errors import DatasetError

LABELS = ("account", "billing", "Sports, outdoor")


def test_labels_are_written_in_a_fixed_order_and_none_is_a_word() -> None:
    assert labelsets.joined(["shipping", "account", "shipping"]) == "account; shipping"
    assert labelsets.joined([]) == labelsets.joined(["None"]) == "none"
    assert labelsets.parts("account; shipping") == {"account", "shipping"}
    assert labelsets.parts("none") == frozenset()


def test_a_label_with_the_sign_between_labels_is_refused() -> None:
    with pytest.raises(DatasetError, match="'a; b' holds the sign"):
        labelsets.joined(["a; b"])


@pytest.mark.parametrize(
    ("answer", "read", "valid"),
    [
        ("billing; account", "account; billing", True),
        ("Billing|ACCOUNT", "account; billing", True),
        ('["billing", "account"]', "account; billing", True),
        ("- billing\n- account", "account; billing", True),
        ("Sports, outdoor; billing", "Sports, outdoor; billing", True),
        ("billing, billing", "billing", True),
        ("none", "none", True),
        ("billing; refund", "billing; refund", False),
        ("", "", False),
    ],
)
def test_answers_are_read_as_sets(answer: str, read: str, valid: bool) -> None:
    assert labelsets.as_labels(answer, LABELS) == (read, valid)
