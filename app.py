"""The Streamlit application: starts and stops what lives in the web process, answers /healthz, draws nothing.

Run: python cli.py serve (or: streamlit run app.py)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jobs import admin
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


async def admin_session(request: Request) -> Response:
    """Give a browser that shows a session signed by us the cookie that keeps it, out of reach of scripts."""
    session = (await request.body()).decode("ascii", "replace")
    if not admin.is_session(session):
        return Response(status_code=403)
    answer = Response(status_code=204)
    answer.set_cookie(
        admin.COOKIE, session, max_age=admin.SESSION_SECONDS, httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


app = st.App(
    "pages/__init__.py",
    lifespan=lifespan,
    routes=[Route("/healthz", healthz), Route("/admin-session", admin_session, methods=["POST"])],
    on_script_error=problems.draw,
)
