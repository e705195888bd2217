"""Asks the method of a search what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from engine import halving, mads, proposals, protocol
from engine.search import Decision, Search, SearchMethod, Trial

_PROPOSERS = {
    SearchMethod.RANDOM: proposals.propose,
    SearchMethod.TPE: proposals.propose,
    SearchMethod.MADS: mads.propose,
}
_NOTHING_NEW = {
    SearchMethod.RANDOM: "Every config of the search space has been tried.",
    SearchMethod.TPE: "Every config of the search space has been tried.",
    SearchMethod.MADS: "The mesh around the best config is as fine as it gets: MADS proposes nothing more.",
}


def decide(search: Search, trials: Sequence[Trial], free: int) -> Decision:
    """What to start or continue with so many free workers; nothing while it has to wait for what goes on.

    `trials`: every training of the study, oldest first. The same facts give the same decision.
    """
    if search.method is SearchMethod.PROTOCOL:
        return protocol.decide(search, trials, free)
    if search.method in (SearchMethod.HALVING, SearchMethod.SHORTLIST):
        return halving.decide(search, trials, free)
    ours = [trial for trial in trials if trial.ours]
    left = search.runs - len(ours)
    if left > 0:
        wanted = min(free, left)
        starts = tuple(_PROPOSERS[search.method](search, trials, wanted)) if wanted > 0 else ()
        if starts or wanted <= 0 or any(trial.is_open for trial in ours):
            return Decision(starts)
        return Decision(over=_NOTHING_NEW[search.method])
    if any(trial.is_open for trial in ours):
        return Decision()
    return Decision(over=f"All {search.runs} runs of the search have ended.")
