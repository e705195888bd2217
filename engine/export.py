"""Takes a run out of Shortlist: adapter, merged model, a script that repeats it or a baseline; checked."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine import (
    added,
    export_baseline,
    export_card,
    export_gguf,
    export_rows,
    export_script,
    export_weights,
    parity,
    words,
)
from engine.encode import Encoder
from engine.errors import ConfigError
from engine.export_parts import (
    GGUFS,
    Base,
    Cancelled,
    Hooks,
    Trained,
    What,
    base_of,
    chosen,
    left_out,
    refusals,
)
from engine.export_rows import Line
from engine.parity import Exported, Parity
from engine.records import RunKind

__all__ = [
    "Cancelled",
    "Hooks",
    "Trained",
    "What",
    "Written",
    "check_target",
    "chosen",
    "pack",
    "refusals",
    "unpack",
    "write",
]

# what answer.py takes unless told otherwise comes first
WEIGHTS = (What.MERGED, What.ADAPTER, *GGUFS)
AS_IT_IS = (".safetensors", ".gguf")  # does not shrink


@dataclass(frozen=True, slots=True)
class Written:
    """What an export holds, what of it could not be had and why, and how its weights compare."""

    parts: tuple[What, ...]
    left_out: dict[What, str]
    parity: tuple[Parity, ...]


def write(trained: Trained, what: What, folder: Path, hooks: Hooks) -> Written:
    """Write an export into an empty folder and load its weights afresh.

    Raises ModelError when a part cannot be had, Cancelled when it is no longer wanted.
    """
    refused = refusals(trained.spec, trained.result, {path.name for path in trained.attempt.iterdir()})
    parts, lacks = chosen(what, refused), left_out(what, trained.spec, refused)
    if trained.spec.kind is RunKind.BASELINE:
        return Written(parts, lacks, export_baseline.write(trained, parts, lacks, folder, hooks))
    base = base_of(trained)
    added.check_space(folder, export_weights.bytes_needed(base, parts))
    hooks.stage("Writing the rows")
    text = export_rows.encoder_of(trained, base)
    if set(GGUFS) & set(parts) and (why := export_gguf.obstacle(base.folder, text.max_length)):
        parts, lacks = chosen(what, refused | dict.fromkeys(GGUFS, why)), lacks | dict.fromkeys(GGUFS, why)
    rows = export_rows.split_rows(trained, text)
    if base.shipped and {What.ADAPTER, What.SCRIPT} & set(parts):
        export_weights.write_base(base, folder / export_weights.BASE_FOLDER)
    _write_weights(trained, base, text, parts, folder, hooks)
    if What.SCRIPT in parts:
        _write_script(trained, base, text, rows, folder)
    asked = export_rows.asked(trained.dataset, text, "test")
    checked = tuple(_checked(trained, base, part, asked, folder, hooks) for part in WEIGHTS if part in parts)
    hooks.stage("Writing the card")
    export_card.write(trained, base, text, export_card.Told(rows, checked, lacks), folder)
    return Written(parts, lacks, checked)


def pack(folder: Path, target: Path, name: str) -> None:
    """The folder as a zip with one folder of this name in it; weights, which do not shrink, as they are."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            how = zipfile.ZIP_STORED if path.suffix in AS_IT_IS else zipfile.ZIP_DEFLATED
            archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}", compress_type=how)


def check_target(path: Path, *, as_file: bool = False) -> None:
    """Raises ConfigError unless it does not exist yet or is an empty folder: nothing is ever overwritten."""
    if as_file and (path.exists() or not path.parent.is_dir()):
        raise ConfigError(f"{path} must be a new file in a folder that exists. Name another one.")
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ConfigError(f"{path} must be a new or empty folder. Name another one.")


def unpack(archive: Path, folder: Path) -> None:
    """The files of a packed export, without the folder around them; none lands outside the folder."""
    check_target(folder)
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            parts = PurePosixPath(entry.filename).parts[1:]
            if not parts or ".." in parts or PurePosixPath(*parts).is_absolute():
                raise ConfigError(f"The archive names a file outside its folder: {entry.filename!r}.")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)


def _write_weights(
    trained: Trained, base: Base, text: Encoder, parts: Sequence[What], folder: Path, hooks: Hooks
) -> None:
    if What.ADAPTER in parts:
        hooks.stage("Writing the adapter")
        export_weights.write_adapter(trained, base, text, folder / What.ADAPTER)
    if What.MERGED in parts:
        hooks.stage("Writing the whole model")
        export_weights.write_merged(trained, base, text, folder / What.MERGED)
    if set(GGUFS) & set(parts):
        _write_ggufs(trained, base, text, parts, folder, hooks)
    there = tuple(part for part in WEIGHTS if part in parts)
    if there:
        script = export_script.answer_script(base, text, trained.spec.method, there)
        (folder / "answer.py").write_text(script, encoding="utf-8")


def _write_ggufs(
    trained: Trained, base: Base, text: Encoder, parts: Sequence[What], folder: Path, hooks: Hooks
) -> None:
    """From the whole model, which is made for it and goes again unless it was asked for."""
    merged = folder / What.MERGED
    if What.MERGED not in parts:
        hooks.stage("Merging the model")
        export_weights.write_merged(trained, base, text, merged)
    for part in (part for part in GGUFS if part in parts):
        hooks.stage(f"Writing {part}")
        export_weights.write_gguf(base, text, merged, part, folder / part)
    if What.MERGED not in parts:
        shutil.rmtree(merged)


def _write_script(
    trained: Trained, base: Base, text: Encoder, rows: dict[str, list[Line]], folder: Path
) -> None:
    (folder / "train.py").write_text(export_script.training_script(trained, base, text), encoding="utf-8")
    (folder / "requirements.txt").write_text(export_script.requirements(trained), encoding="utf-8")
    if trained.spec.metric in export_script.BY_WORDS:
        shutil.copyfile(words.__file__, folder / "words.py")
    (folder / "data").mkdir()
    for split, lines in rows.items():
        (folder / "data" / f"{split}.jsonl").write_bytes(export_rows.jsonl(lines))


def _checked(
    trained: Trained, base: Base, part: What, asked: Sequence[Line], folder: Path, hooks: Hooks
) -> Parity:
    """An adapter of a hub model is checked on the copy of its base that is on this machine."""
    hooks.stage(f"Checking {part}: loading it afresh")
    elsewhere = base.folder if part is What.ADAPTER and not base.shipped else None
    return parity.check(Exported(folder, str(part), elsewhere), trained, asked, hooks)
