"""Studies: which model do I use, and how sure am I? A list, or the study or the runs that the URL names."""

import streamlit as st

from pages import compare, problems, study, study_list

with problems.shown():
    chosen = st.query_params.get("study")
    if chosen:
        study.show(chosen)
    elif "compare" in st.query_params:
        compare.show(st.query_params["compare"])
    else:
        study_list.show()
