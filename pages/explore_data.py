"""The results that Explore looks at: read once for each content of a version's file, ranked once a filter."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import streamlit as st

from engine import exploration, grids
from engine.exploration import Filters, View
from engine.grids import GridVersion


class Chosen(NamedTuple):
    """A version, what of it is looked at, and the digest of its results: all that a cached answer needs."""

    grid: GridVersion
    digest: str
    filters: Filters

    @property
    def version(self) -> str:
        """The version's name."""
        return self.grid.version

    @property
    def table(self) -> pd.DataFrame:
        """All results of the version."""
        return results(self.version, self.digest)

    @property
    def rankable(self) -> bool:
        """Whether its configs can be ranked: some tables of others hold different settings by model."""
        return bool(self.grid.manifest.get("rankable", True))

    def view(self, *over: str) -> View | None:
        """The ranked results that fit; `over` names filters that the section compares instead."""
        return ranked(self.version, self.digest, self.filters.over(*over), self.grid.lower_is_better)


@st.cache_resource(max_entries=4, show_spinner="Reading the grid")
def results(version: str, digest: str) -> pd.DataFrame:
    """All results of a version; never changed by its readers."""
    return grids.load(version)


@st.cache_resource(max_entries=4, show_spinner="Reading the grid")
def defaults(version: str, digest: str) -> pd.DataFrame:
    """The results of configs that were run as they are."""
    return grids.load_defaults(version)


@st.cache_resource(max_entries=4, show_spinner="Reading the grid")
def with_defaults(version: str, digest: str) -> pd.DataFrame:
    """The same and the configs that were run as they are: no ranking holds those."""
    searched, others = results(version, digest), defaults(version, digest)
    return searched if others.empty else pd.concat([searched, others])


@st.cache_resource(max_entries=64, show_spinner="Ranking the configs")
def ranked(version: str, digest: str, filters: Filters, lower_is_better: bool) -> View | None:
    """The results that fit, ranked; None when there are none."""
    return exploration.view(results(version, digest), filters, lower_is_better)
