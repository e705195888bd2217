"""The shortlist with early stopping: a switch of Tune that says what it saves and what it risks."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import texts


@pytest.fixture
def tickets(app: AppTest) -> AppTest:
    """The sample of support tickets, full fine-tuning."""
    app.segmented_control(key="origin").set_value("A sample").run()
    app.segmented_control(key="method").set_value("full")
    return app.pills(key="sample").set_value("support_tickets.csv").run()


def test_early_stopping_of_the_shortlist_says_what_it_saves_and_risks(tickets: AppTest) -> None:
    assert "Early stopping saves" not in texts(tickets)

    tickets.toggle(key="early_shortlist").set_value(True).run()

    said = texts(tickets).replace("\\", "")
    assert "shortlist stops early" in said
    assert "Early stopping saves about 25 % of the training of 3 configs" in said
    assert "What it risks is not known" in said
    assert not tickets.exception


def test_folds_and_early_stopping_of_the_shortlist_exclude_each_other(tickets: AppTest) -> None:
    tickets.toggle(key="early_shortlist").set_value(True).run()
    tickets.toggle(key="folds").set_value(True).run()

    assert tickets.toggle(key="early_shortlist").disabled
    assert "shortlist stops early" not in texts(tickets)
    assert not tickets.button(key="launch").disabled
