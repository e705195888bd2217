"""What a study will run, before anything is written: default, shortlist, own configs, and their rivals."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine import baselines, crossval, grids, halving, models, prompts, searchspace, shortlist, space
from engine.dataset import Dataset
from engine.errors import ConfigError, ModelError
from engine.metrics import METRICS, check_metric
from engine.models import BaseModel
from engine.records import Config, Method, RunKind, RunSpec, Study
from engine.search import Objective, Search, SearchMethod
from engine.shortlist import Shortlist

MOST_RUNS = 64
RACE = "01"  # the id of a plan's own search: it is the first of its study
_ALPHABET = string.digits + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a person chose. `left_out`: ranks of the shortlist not to run; `custom`: own configs to run.

    `early_stopping` is for own configs: default and shortlist must mean what the grid measured. With `folds`
    every run is also trained that many times to score all rows outside the test (see engine.crossval). With
    `early_shortlist` only the best of the shortlist are trained to their end (see engine.halving).
    """

    dataset: Dataset
    model: str
    method: Method
    k: int = 4
    name: str | None = None
    metric: str | None = None
    seed: int = 0
    train_size: int | None = None
    template: str | None = None
    max_length: int | None = None
    assistant_only_loss: bool = False
    time_cap_minutes: float | None = None
    left_out: tuple[int, ...] = ()
    custom: tuple[Config, ...] = ()
    early_stopping: bool = True
    folds: int | None = None
    early_shortlist: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A study that could be created; its runs in the order in which they will be taken up."""

    study: Study
    specs: tuple[RunSpec, ...]
    shortlist: Shortlist
    model: BaseModel
    search: Search | None = None


def make(request: PlanRequest) -> Plan:
    """The plan; raises ConfigError or ModelError in one sentence when the choice cannot be run."""
    model = models.get(request.model)
    metric = request.metric or METRICS[request.dataset.task][0]
    check_metric(metric, request.dataset.task)
    _check(request, model)
    excluded = grids.datasets_sharing_rows(request.dataset.input_hashes(), grids.current())
    chosen = shortlist.recommend(model, request.method, request.k, exclude=excluded)
    study_id = new_study_id()
    specs = tuple(_numbered(request, chosen, metric, study_id, model))
    check_number(len(specs))
    plan = Plan(_study(request, chosen, metric, study_id, specs), specs, chosen, model)
    return raced(plan, RunKind.SHORTLIST) if request.early_shortlist else plan


def starting_points(request: PlanRequest) -> tuple[Config, ...]:
    """k configs to try where nothing is measured or published for the model and method; else none."""
    known = shortlist.recommend(models.get(request.model), request.method, 1).entries
    return () if known else space.starting_points(request.method)[: request.k]


def with_starting_points(request: PlanRequest) -> PlanRequest:
    """The same, unless it names configs, with starting points in the place of a shortlist that is missing."""
    return request if request.custom else replace(request, custom=starting_points(request))


def raced(plan: Plan, kind: RunKind) -> Plan:
    """The plan with runs of this kind as short runs first, of which only the best go on (engine.halving)."""
    specs = tuple(
        replace(
            spec,
            search=RACE,
            pause_at=halving.PAUSE_AT,
            early_stopping_patience=None,
            early_stopping_threshold=None,
        )
        if spec.kind is kind
        else spec
        for spec in plan.specs
    )
    runs = sum(spec.search is not None for spec in specs)
    if not runs:
        return plan
    of = plan.study
    search = Search(
        search=RACE,
        study=of.study,
        method=SearchMethod.SHORTLIST,
        objective=Objective.LOSS,
        runs=runs,
        space=searchspace.space_of(of.model, of.method),
        began=of.created,
        earlier=(),
    )
    return replace(plan, specs=specs, search=search)


def new_study_id() -> str:
    """s-YYYYMMDD-xxxxxx."""
    tail = "".join(secrets.choice(_ALPHABET) for _ in range(6))
    return f"s-{time.strftime('%Y%m%d', time.gmtime())}-{tail}"


def checked(config: Config, method: Method) -> Config:
    """The config; raises ConfigError when it is for the other method than the study's."""
    if config.method != method:
        raise ConfigError(f"The config '{config.label}' is for {config.method}, the study for {method}.")
    return config


def check_number(runs: int) -> None:
    """Raises ConfigError above MOST_RUNS."""
    if runs > MOST_RUNS:
        raise ConfigError(f"A study has at most {MOST_RUNS} runs, but this one has {runs}. Choose fewer.")


def _check(request: PlanRequest, model: BaseModel) -> None:
    if not model.launchable:
        raise ModelError(f"{model.id} cannot be trained here yet. Choose an embedded model.")
    if lacking := models.obstacle(model):
        raise ModelError(lacking)
    if request.method not in model.methods:
        fitting = ", ".join(model.methods)
        raise ModelError(f"{model.id} cannot be trained with {request.method} here. It fits: {fitting}.")
    if request.k < 0 or request.k > 16:
        raise ConfigError(f"k must be between 0 and 16, but is {request.k}.")
    if request.time_cap_minutes is not None and request.time_cap_minutes <= 0:
        raise ConfigError(f"The time cap must be above 0 minutes, but is {request.time_cap_minutes:g}.")
    if request.template is not None:
        prompts.check_template(request.template, request.dataset.task)
    for config in request.custom:
        checked(config, request.method)
    crossval.check(request.folds, request.dataset)
    if request.folds is not None and request.early_shortlist:
        raise ConfigError("A training in folds cannot stand half-way. Choose folds or early stopping.")
    request.dataset.train_subset(request.train_size, request.seed)


def _numbered(
    request: PlanRequest, chosen: Shortlist, metric: str, study_id: str, model: BaseModel
) -> Iterator[RunSpec]:
    """Trainings first: they are what the person waits for; what is not trained fills in behind."""
    cap = None if request.time_cap_minutes is None else request.time_cap_minutes * 60
    for number, (kind, name, rank, config) in enumerate(_wanted(request, chosen), start=1):
        yield RunSpec(
            run=f"{study_id}-{number:02d}",
            study=study_id,
            kind=kind,
            name=name,
            dataset=request.dataset.id,
            task=request.dataset.task,
            model=request.model,
            method=request.method,
            metric=metric,
            seed=request.seed,
            rank=rank,
            config=config,
            train_size=request.train_size,
            template=prompts.chosen_template(request.template, request.dataset, model),
            max_length=request.max_length,
            assistant_only_loss=request.assistant_only_loss,
            time_cap_seconds=cap,
            folds=request.folds,
            **(space.EARLY_STOPPING if _stops_early(request, kind) else {}),
        )


def _stops_early(request: PlanRequest, kind: RunKind) -> bool:
    """In folds nothing stops early: it would choose its epoch on rows that it is then scored on."""
    return kind is RunKind.CUSTOM and request.early_stopping and request.folds is None


def _wanted(
    request: PlanRequest, chosen: Shortlist
) -> Iterator[tuple[RunKind, str, int | None, Config | None]]:
    """Few-shot is for real LLMs: to the tiny ones examples say nothing, and the tour counts its seconds."""
    rows = request.train_size or len(request.dataset.splits["train"])
    yield RunKind.DEFAULT, "default", None, space.default_config(request.model, request.method, rows)
    for entry in chosen.entries:
        if entry.rank not in request.left_out:
            yield RunKind.SHORTLIST, f"shortlist {entry.rank}", entry.rank, Config.from_dict(entry.config)
    for number, config in enumerate(request.custom, start=1):
        yield RunKind.CUSTOM, f"own {number}", None, config
    yield RunKind.BASE, "base", None, None
    if not space.is_embedded(request.model):
        yield RunKind.FEW_SHOT, "few-shot", None, None
    for name in baselines.names(request.dataset.task):
        yield RunKind.BASELINE, name, None, None


def _study(
    request: PlanRequest, chosen: Shortlist, metric: str, study_id: str, specs: tuple[RunSpec, ...]
) -> Study:
    return Study(
        study=study_id,
        name=request.name or f"{request.dataset.name}, {request.model}, {request.method}",
        dataset=request.dataset.id,
        dataset_name=request.dataset.name,
        task=request.dataset.task,
        model=request.model,
        method=request.method,
        metric=metric,
        k=request.k,
        seed=request.seed,
        created=time.time(),
        runs=tuple(spec.run for spec in specs),
        train_size=request.train_size,
        shortlist=chosen.to_dict(),
        time_cap_minutes=request.time_cap_minutes,
    )
