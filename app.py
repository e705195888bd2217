"""The Streamlit application: starts and stops what lives in the web process, answers /healthz, draws nothing.

Run: python cli.py serve (or: streamlit run app.py)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages import live, problems


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Start the store, the collector and the local stack before the first page, stop them after the last."""
    live.start()
    try:
        yield
    finally:
        live.stop()


async def healthz(request: Request) -> JSONResponse:
    """200 while the store, the collector and the queue answer, else 503 with the reason."""
    problem = live.problem()
    return JSONResponse(
        {"ok": problem is None, "problem": problem}, status_code=200 if problem is None else 503
    )


app = st.App(
    "pages/__init__.py",
    lifespan=lifespan,
    routes=[Route("/healthz", healthz)],
    on_script_error=problems.draw,
)
