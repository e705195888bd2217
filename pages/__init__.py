"""Navigation: the frame around every page. The file is both the main script and the package of the pages."""

import streamlit as st


def navigate() -> None:
    """Draw the frame and the page that the URL names."""
    st.set_page_config(page_title="Shortlist", layout="wide")
    st.logo("pages/logo.svg", size="large")
    titles = {"tune": "Tune", "studies": "Studies", "explore": "Explore", "admin": "Admin"}
    pages = [st.Page(f"{name}.py", title=title, url_path=name) for name, title in titles.items()]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    navigate()
