"""Studies: which model do I use, and how sure am I? A list, or the one study that the URL names."""

import streamlit as st

from pages import problems, study, study_list

with problems.shown():
    chosen = st.query_params.get("study")
    if chosen:
        study.show(chosen)
    else:
        study_list.show()
