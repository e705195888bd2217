"""Where two texts differ, word by word."""

from __future__ import annotations

from engine import differences
from engine.differences import Change, Span


def test_words_that_changed_are_removed_and_added_in_reading_order() -> None:
    found = differences.compare("the red cat sat", "the black cat sat down")

    assert found.spans == (
        Span(Change.SAME, "the "),
        Span(Change.REMOVED, "red "),
        Span(Change.ADDED, "black "),
        Span(Change.SAME, "cat sat "),
        Span(Change.ADDED, "down"),
    )
    assert not found.cut


def test_what_is_not_removed_spells_the_second_text() -> None:
    after = "  one\ntwo  three\n"

    spans = differences.compare("one three", after).spans

    assert "".join(span.text for span in spans if span.change is not Change.REMOVED) == after.lstrip()


def test_equal_texts_are_one_piece_and_empty_ones_none() -> None:
    assert differences.compare("same text", "same text").spans == (Span(Change.SAME, "same text"),)
    assert differences.compare("", "").spans == ()


def test_very_long_texts_are_compared_at_their_beginning_and_say_so() -> None:
    found = differences.compare("word " * 100_000, "word " * 999)

    assert found.cut
    assert sum(len(span.text.split()) for span in found.spans) == differences.MOST_WORDS


def test_the_closest_of_several_right_answers_shares_most_words() -> None:
    assert differences.closest("in the year 1066", ("1999", "the year 1066", "1066")) == "the year 1066"
