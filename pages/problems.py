"""The one place where an error becomes something that a person reads on a page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from engine.errors import ShortlistError
from pages import words

UNEXPECTED = (
    "Something went wrong on our side; the details are in the server's log. Reload the page to go on."
)


def draw(error: Exception) -> bool:
    """Show a known error in its own sentence, any other in a friendly one; True: it is on the page."""
    if isinstance(error, ShortlistError):
        st.error(words.plain(str(error)))
    else:
        logging.getLogger("shortlist").error("A page failed.", exc_info=error)
        st.error(UNEXPECTED)
    return True


@contextmanager
def shown() -> Iterator[None]:
    """A known error inside ends this part of the page, not the whole page."""
    try:
        yield
    except ShortlistError as error:
        draw(error)
