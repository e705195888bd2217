"""Where Shortlist keeps its state and what it starts; every value can be set by a SHORTLIST_* variable."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What a person may set from outside; read anew at each use, so that tests and forks see their own."""

    model_config = SettingsConfigDict(env_prefix="SHORTLIST_", frozen=True, env_ignore_empty=True)

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("shortlist", appauthor=False)))
    artifacts: str | None = None
    """A path or an fsspec URL shared by all machines; None: `home`/artifacts."""
    redis_url: str | None = Field(
        default=None, validation_alias=AliasChoices("REDIS_URL", "SHORTLIST_REDIS_URL", "redis_url")
    )
    """None: a Redis of our own on a private socket."""
    workers: int | None = Field(default=None, ge=0)
    """Worker processes for studies; None: one per GPU, else one per core while the memory lasts."""
    grid_workers: int = Field(default=0, ge=0)
    """Worker processes for grids; 0: none until somebody starts a grid."""
    grid_datasets: Path | None = None
    """Folder with a folder for each dataset that grids may use; None: `home`/grid-datasets."""
    url: str | None = None
    """Where people open the pages, for links in reports and webhooks; None: where `serve` serves them."""
    webhook: SecretStr | None = None
    """An http(s) address that is told of each study that has ended; secret, as it often holds a token."""
    report_to: str = ""
    """Trackers of studies' trainings, comma-separated: tensorboard, mlflow, wandb."""
    judge_url: str | None = None
    """An OpenAI-compatible address such as https://host/v1; None: there is no judge."""
    judge_model: str | None = None
    """The model that judges there."""
    judge_key: SecretStr | None = None
    """What that address asks for; None: nothing."""

    @field_validator("home", "grid_datasets")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().resolve()

    @field_validator("artifacts")
    @classmethod
    def _absolute_unless_url(cls, artifacts: str | None) -> str | None:
        if artifacts is None or "://" in artifacts:
            return artifacts
        return str(Path(artifacts).expanduser().resolve())

    @property
    def artifact_root(self) -> str:
        """Where datasets and studies are kept."""
        return self.artifacts or str(self.home / "artifacts")

    @property
    def grid_source(self) -> Path:
        """Where grids find their datasets unless told otherwise."""
        return self.grid_datasets or self.home / "grid-datasets"

    def study_link(self, study: str) -> str | None:
        """The address of a study's page; None where nobody said where the pages are."""
        return None if self.url is None else f"{self.url.rstrip('/')}/studies?study={study}"

    @property
    def database(self) -> Path:
        """The DuckDB file; only the web process opens it."""
        return self.home / "shortlist.duckdb"

    @property
    def locks(self) -> Path:
        """Folder of lock files of this machine."""
        return self.home / "locks"

    @property
    def logs(self) -> Path:
        """Folder of the log files of Redis, workers and the stack."""
        return self.home / "logs"


def current() -> Settings:
    """The settings of this moment's environment."""
    return Settings()
