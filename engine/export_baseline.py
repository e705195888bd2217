"""A baseline as files of its own: its model for skops (no pickle), a script that answers with it, a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import baselines, export_card, parity
from engine.baselines import Constant, Fitted, NearestAnswer, SetClassifier, TextClassifier
from engine.dataset import Dataset
from engine.errors import ModelError
from engine.export_parts import Hooks, Trained, What
from engine.export_rows import Line
from engine.export_script import render
from engine.headings import parted, sources
from engine.metrics import TITLES
from engine.parity import Exported, Parity
from engine.records import Role, Row

LIBRARIES = ("scikit-learn", "skops", "scipy", "numpy")


@dataclass(frozen=True, slots=True)
class _Files:
    """How a fitted baseline lies in its export: `kind` for predict.py, the value that is kept, and the types
    beyond skops' own list that it is made of."""

    kind: str
    value: Any
    trusted: tuple[str, ...] = ()


def write(
    trained: Trained, parts: Sequence[What], left_out: Mapping[What, str], folder: Path, hooks: Hooks
) -> tuple[Parity, ...]:
    """Write the baseline and its card into an empty folder; how its answers compare with the run's.

    Raises ModelError where it cannot stand alone.
    """
    checked: tuple[Parity, ...] = ()
    if What.BASELINE in parts:
        hooks.stage("Fitting the baseline")
        _write_model(trained, folder)
        hooks.stage("Checking baseline: loading it afresh")
        asked = _asked(trained.dataset)
        checked = (parity.check(Exported(folder, str(What.BASELINE)), trained, asked, hooks),)
    hooks.stage("Writing the card")
    _write_card(trained, checked, left_out, folder)
    return checked


def _write_model(trained: Trained, folder: Path) -> None:
    spec, dataset = trained.spec, trained.dataset
    if Role.MESSAGES in dataset.roles:
        raise ModelError(
            "A baseline on conversations reads them by Shortlist's own code, so it cannot stand alone: "
            "take the card, and answer with predict."
        )
    files = _files(baselines.fit(spec.name, dataset.train_subset(spec.train_size, spec.seed), spec.task))
    if files.kind == "constant":
        export_card.save(folder / "model.json", export_card.as_json(files.value))
    else:
        _dump(files, folder / "model.skops")
    if spec.task.has_labels:
        export_card.save(folder / "labels.json", export_card.as_json(list(dataset.labels)))
    script = render(
        "predict.py.j2",
        kind=files.kind,
        title=baselines.TITLES[spec.name],
        columns=_columns(dataset),
        trusted=list(files.trusted),
    )
    export_card.save(folder / "predict.py", script)
    pins = [] if files.kind == "constant" else [f"{name}=={version(name)}" for name in LIBRARIES]
    export_card.save(folder / "requirements.txt", "\n".join([*pins, ""]))


def _files(fitted: Fitted) -> _Files:
    if isinstance(fitted, Constant):
        return _Files("constant", {"answer": fitted.answer})
    if isinstance(fitted, TextClassifier):
        return _Files("pipeline", fitted.pipeline)
    if isinstance(fitted, SetClassifier):
        parts = {"pipeline": fitted.pipeline, "labels": list(fitted.labels), "always": list(fitted.always)}
        return _Files("sets", parts)
    if isinstance(fitted, NearestAnswer):
        kept = {"vectorizer": fitted.vectorizer, "known": fitted.known, "answers": list(fitted.known_answers)}
        return _Files("nearest", kept, ("scipy.sparse._csr.csr_matrix",))
    raise ModelError("This baseline cannot stand alone. Predict and Try it use it.")


def _dump(files: _Files, path: Path) -> None:
    """Raises ModelError when the file would need trust in a type that is not listed."""
    import skops.io

    skops.io.dump(files.value, path)
    unknown = set(skops.io.get_untrusted_types(file=path)) - set(files.trusted)
    if unknown:
        raise ModelError(f"The model holds {min(unknown)}, a type that no export is trusted with.")


def _columns(dataset: Dataset) -> list[list[str]]:
    """The columns of the study's file that each field is read from, in order."""
    found = sources(dataset)
    return [list(found[role]) for role in dataset.rows[0].inputs]


def _cells(dataset: Dataset, row: Row, role: Role) -> dict[str, str]:
    """A role's text by column."""
    parts = parted(row.inputs[role], row.headings)
    return {column or dataset.roles[role]: text for column, text in parts.items()}


def _asked(dataset: Dataset) -> list[Line]:
    """The test rows as lines of a file."""
    return [
        {"row": row.number, **{c: t for role in row.inputs for c, t in _cells(dataset, row, role).items()}}
        for row in dataset.split("test")
    ]


def _write_card(
    trained: Trained, checked: Sequence[Parity], left_out: Mapping[What, str], folder: Path
) -> None:
    spec, result, dataset = trained.spec, trained.result, trained.dataset
    assert result.test is not None
    export_card.save(folder / "metrics.json", export_card.as_json(export_card.metrics(trained)))
    if checked:
        entries = [entry.to_dict() for entry in checked]
        export_card.save(folder / "parity.json", export_card.as_json(entries))
    names = export_card.names_in(folder)
    card = render(
        "baseline.md.j2",
        title=baselines.TITLES[spec.name],
        classifies=spec.task.has_labels,
        dataset_name=export_card.inline(dataset.name),
        headline=export_card.inline(export_card.headline(trained, result.test)),
        verdict=export_card.inline(trained.verdict),
        metric_title=TITLES[spec.metric],
        scores=export_card.score_lines(trained),
        parity=checked,
        columns=[name for names in _columns(dataset) for name in names],
        train_rows=f"{len(dataset.train_subset(spec.train_size, spec.seed)):,}",
        run=spec.run,
        seed=spec.seed,
        file_name=dataset.file_name.replace("`", "'"),
        file_sha256=trained.file_sha256,
        split_seed=dataset.seed,
        listing=[(name, what) for name, what in export_card.LISTING.items() if name in names],
        left_out=" ".join(export_card.inline(f"{part}: {why}") for part, why in left_out.items()),
    )
    export_card.save(folder / "README.md", card)
