"""Navigation: the frame around every page. The file is both the main script and the package of the pages."""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent


def navigate() -> None:
    """Draw the frame and the page that the URL names."""
    st.logo(HERE / "logo.svg", size="large")
    st.html(HERE / "frame.css")
    titles = {"tune": "Tune", "studies": "Studies", "explore": "Explore", "admin": "Admin"}
    pages = [st.Page(f"{name}.py", title=title, url_path=name) for name, title in titles.items()]
    page = st.navigation(pages, position="top")
    st.set_page_config(page_title=f"{page.title} - Shortlist", layout="wide")
    page.run()


if __name__ == "__main__":
    navigate()
