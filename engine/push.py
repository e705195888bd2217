"""Puts an export on the hub, in a process of its own: python -m engine.push reads one request.

Only with HF_TOKEN in the environment, only into a new repository, and never an export that holds rows.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from engine import online
from engine.errors import ConfigError, ModelError
from engine.export_parts import Cancelled, Hooks

ROOT = Path(__file__).resolve().parents[1]
PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
REPOSITORY = re.compile(rf"(?:{PART}/)?{PART}")
ROWS = "data"
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Target:
    """A repository that does not exist yet: its name, or account/name."""

    repository: str
    private: bool = True

    def __post_init__(self) -> None:
        if not REPOSITORY.fullmatch(self.repository) or re.search(r"--|\.\.", self.repository):
            raise ConfigError(
                "A repository is named like my-model or my-account/my-model (letters, digits, - _ .), not "
                f"{self.repository!r}."
            )


def can_push() -> bool:
    """Whether a token is configured."""
    return bool(os.environ.get("HF_TOKEN"))


def push(folder: Path, target: Target, hooks: Hooks) -> str:
    """Upload all files of an export; the repository's address. Raises ModelError in one sentence."""
    if (folder / ROWS).exists():
        raise ModelError("An export with rows is not put on the hub. Export the adapter or the model alone.")
    hooks.stage(f"Uploading to {target.repository}")
    request = {"folder": str(folder), "repository": target.repository, "private": target.private}
    with online.start("engine.push", request, hooks.in_child) as process:
        while process.poll() is None:
            if hooks.stopped():
                process.kill()
                raise Cancelled
            time.sleep(LOOK_SECONDS)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    said: dict[str, str] = json.loads(lines[-1]) if lines else {}
    if "url" not in said:
        raise ModelError(said.get("error", "The upload ended without a word. Try again."))
    return said["url"]


def main() -> None:
    """The child: one request on standard input, one answer on standard output."""
    request = online.request()
    target = Target(request["repository"], request["private"])
    try:
        online.answer({"url": _upload(Path(request["folder"]), target)})
    except ModelError as error:
        online.answer({"error": str(error)})


def _upload(folder: Path, target: Target) -> str:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        made = api.create_repo(target.repository, private=target.private, exist_ok=False)
        api.upload_folder(
            repo_id=made.repo_id, folder_path=folder, commit_message="Upload an export of Shortlist"
        )
    except HfHubHTTPError as error:
        raise ModelError(_sentence(error.response.status_code, target.repository)) from error
    except (OSError, httpx2.HTTPError) as error:
        raise ModelError(
            "The hub cannot be reached from this machine. Connect it, then try again."
        ) from error
    return str(made)


def _sentence(status: int, repository: str) -> str:
    if status in (401, 403):
        return f"The hub refuses {repository} to the token in HF_TOKEN: set one that may write there."
    if status == 409:
        return f"{repository} is on the hub already, and nothing is overwritten. Name another repository."
    return f"The hub answered with status {status} for {repository}. Try again later."


if __name__ == "__main__":
    main()
