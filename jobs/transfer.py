"""Carries a study's best configs to a larger model: a new study there, with short runs first."""

from __future__ import annotations

from dataclasses import replace

from engine import dataset as datasets
from engine import models, transfer
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.models import BaseModel
from engine.records import RunKind, Study
from engine.search import Objective
from jobs import plans, search, studies, tasks
from jobs.plans import Plan, PlanRequest

CARRIED = 3  # configs, as the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com) verifies


def targets(study: str) -> list[BaseModel]:
    """The larger models that can be trained here by the study's method, the smallest first."""
    of = _files().read_study(study)
    least = models.get(of.model).parameters
    usable = [m for m in models.registry() if m.launchable and not models.obstacle(m)]
    fitting = [m for m in usable if of.method in m.methods]
    return sorted((m for m in fitting if m.parameters > least), key=lambda model: model.parameters)


def prepare(study: str, model: str, learning_rate_factor: float) -> Plan:
    """The plan of the study on the larger model, nothing written; raises ConfigError where there is none."""
    files = _files()
    of = files.read_study(study)
    if model not in [target.id for target in targets(study)]:
        raise ConfigError(f"{model} is no larger model that can be trained with {of.method} here.")
    best = transfer.top(search.trials(study), CARRIED, Objective.METRIC)
    if not best:
        raise ConfigError(f"No training of '{of.name}' has a score yet, so there is nothing to carry.")
    carried = [transfer.carry(t.config, learning_rate_factor=learning_rate_factor) for t in best]
    like = files.read_spec(of.runs[0])
    files.pull_dataset(of.dataset)
    request = PlanRequest(
        datasets.load(of.dataset, files.datasets_root),
        model,
        of.method,
        k=0,
        name=f"{of.name}, carried to {model}"[: studies.LONGEST_NAME],
        metric=of.metric,
        seed=of.seed,
        train_size=of.train_size,
        template=like.template,
        max_length=like.max_length,
        time_cap_minutes=of.time_cap_minutes,
        custom=tuple(dict.fromkeys(carried)),
    )
    plan = plans.raced(plans.make(request), RunKind.CUSTOM)
    why = f"Transferred from {of.model}: learning rate times {learning_rate_factor:.3g}, rank doubled."
    specs = [
        replace(spec, name=spec.name.replace("own", "carried"), why=why)
        if spec.kind is RunKind.CUSTOM
        else spec
        for spec in plan.specs
    ]
    return replace(plan, specs=tuple(specs), study=replace(plan.study, note=f"{why} From '{of.name}'."))


def start(plan: Plan) -> Study:
    """Create the study and queue it."""
    study = studies.create(plan)
    studies.launch(study.study)
    return study


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())
