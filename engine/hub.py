"""Downloads a pinned model from the hub, in a process of its own: python -m engine.hub reads one request.

The training process stays offline (HF_HUB_OFFLINE=1); the download ends with its parent. Complete files are
kept, so one that was cut short goes on with the next file. Weights are checked against the hub's digests.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import checkpoints, fetching, online, weights
from engine.added import check_space
from engine.checkpoints import Checkpoint
from engine.errors import ModelError
from engine.fetching import Say, Stopped

WEIGHT_FILE = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
TRANSFERS = 4


@dataclass(frozen=True, slots=True)
class Download:
    """A model at one commit of the hub, and the folder that it belongs in."""

    name: str
    hub_id: str
    revision: str
    folder: Path


def here(download: Download) -> Checkpoint | None:
    """What was downloaded; None: it is not (all) here."""
    return fetching.here(download.folder)


def fetch(download: Download, say: Say, stopped: Stopped) -> bool:
    """Download and check the model unless it is here; False: stopped. Raises ModelError in one sentence."""
    waiting = f"waiting for the download of {download.name}"
    return fetching.once(
        download.folder, lambda news: _download(download, news, stopped), waiting, say, stopped
    )


def _download(download: Download, say: Say, stopped: Stopped) -> bool:
    download.folder.mkdir(parents=True, exist_ok=True)
    say(f"looking for {download.name} on the hub")

    def look(heard: Mapping[str, Any]) -> None:
        if (total := heard.get("bytes")) is not None:
            share = min(1.0, _arrived(download.folder) / max(total, 1))
            say(f"downloading {download.name}: {100 * share:.0f} % of {total / 1e9:.1f} GB")

    with online.start("engine.hub", _request(download)) as process:
        heard = online.follow(process, stopped, look)
    if heard is None:
        return False
    if "error" in heard or process.returncode:
        unexpected = f"The download of {download.name} ended without a word. Retry the run."
        raise ModelError(heard.get("error", unexpected))
    say(f"checking {download.name}")
    fetching.complete(download.folder, checkpoints.settle(download.folder))
    return True


def _request(download: Download) -> dict[str, str]:
    return {"hub_id": download.hub_id, "revision": download.revision, "folder": str(download.folder)}


def _arrived(folder: Path) -> int:
    """Bytes of finished files and of those on their way."""
    parts = (folder / ".cache").rglob("*.incomplete")
    sizes = []
    for path in (*folder.iterdir(), *parts):
        try:
            sizes.append(path.stat().st_size if path.is_file() else 0)
        except FileNotFoundError:  # moved to its place meanwhile
            continue
    return sum(sizes)


def main() -> None:
    """The child: one request on standard input, messages on standard output."""
    request = online.request()
    try:
        for message in _carry_out(request["hub_id"], request["revision"], Path(request["folder"])):
            online.answer(message)
    except ModelError as error:
        online.answer({"error": str(error)})


def _carry_out(hub_id: str, revision: str, folder: Path) -> Iterator[dict[str, Any]]:
    import httpx2
    from huggingface_hub import HfApi, RepoFile, snapshot_download
    from huggingface_hub.errors import XetDownloadError

    for left in (folder / ".cache").rglob("*.incomplete"):
        left.unlink()  # of a download that was killed: the library begins such a file anew
    try:
        listed = HfApi().list_repo_tree(hub_id, revision=revision)
        files = [file for file in listed if isinstance(file, RepoFile) and _wanted(file.path)]
        total = sum(file.size for file in files)
        check_space(folder, total - sum(f.size for f in files if (folder / f.path).is_file()))
        yield {"bytes": total}
        snapshot_download(
            hub_id,
            revision=revision,
            local_dir=folder,
            allow_patterns=[file.path for file in files],
            max_workers=TRANSFERS,
        )
    except (OSError, httpx2.HTTPError, XetDownloadError) as error:
        raise ModelError(_sentence(error, hub_id)) from error
    _check_digests(folder, files)


def _wanted(path: str) -> bool:
    return path in checkpoints.SMALL_FILES or WEIGHT_FILE.fullmatch(path) is not None


def _check_digests(folder: Path, files: Sequence[Any]) -> None:
    """What arrived is what the hub names; a file that is not is removed, so that a retry fetches it again."""
    for file in files:
        path = folder / file.path
        if file.lfs is not None and weights.sha256((path,)) != file.lfs.sha256:
            path.unlink()
            raise ModelError(f"{file.path} arrived damaged. Retry the run: the other files are kept.")


def _sentence(error: Exception, hub_id: str) -> str:
    """What a person can do about a failed download."""
    from huggingface_hub import errors

    if not isinstance(error, errors.HfHubHTTPError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        error = error.__cause__
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else None
    if isinstance(error, errors.GatedRepoError) or status in (401, 403):
        return _token_sentence(hub_id)
    if isinstance(error, errors.RevisionNotFoundError | errors.RepositoryNotFoundError):
        return f"The hub no longer has {hub_id} at the commit that Shortlist names. Choose another model."
    if status is not None:
        return f"The hub answered with status {status} when asked for {hub_id}. Retry the run later."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full: the download of {hub_id} stopped. Free some space, then retry the run."
    return (
        f"{hub_id} could not be downloaded: the hub cannot be reached from this machine. Connect it to the "
        "internet, or let the admin add the model from a local folder, then retry the run."
    )


def _token_sentence(hub_id: str) -> str:
    if os.environ.get("HF_TOKEN"):
        return (
            f"The hub refuses {hub_id} to the token in HF_TOKEN: accept the licence at "
            f"https://huggingface.co/{hub_id} with its account, or set another token, then retry the run."
        )
    return (
        f"The hub gives {hub_id} only to accounts that accepted its licence: accept it at "
        f"https://huggingface.co/{hub_id}, set HF_TOKEN to a token of that account, start Shortlist again, "
        "then retry the run."
    )


if __name__ == "__main__":
    main()
