"""Studies: which model do I use, and how sure am I? A list, or the study or the runs that the URL names."""

import streamlit as st

from pages import compare, problems, study, study_list


def _put_in_address(name: str, value: str) -> None:
    """A link from this page to itself changes what is shown; the browser's address has to be told of it."""
    if st.session_state.get("address") != (name, value):
        st.session_state.address = (name, value)
        st.query_params[name] = value


with problems.shown():
    chosen = st.query_params.get("study")
    if chosen:
        _put_in_address("study", chosen)
        study.show(chosen)
    elif "compare" in st.query_params:
        _put_in_address("compare", st.query_params["compare"])
        compare.show(st.query_params["compare"])
    else:
        if st.session_state.pop("address", None):
            st.query_params.clear()
        study_list.show()
