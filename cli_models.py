"""The `models` commands: list the base models, add one from a folder of safetensors, remove it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terminal import Json, err, print_json, print_table

if TYPE_CHECKING:
    from engine.models import BaseModel

app = typer.Typer(help="List the base models; add one from a folder, or remove it.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context, json: Json = False) -> None:
    """List the base models, what fits them, and where their shortlist comes from."""
    from engine import models

    if context.invoked_subcommand is not None:
        return
    facts: list[dict[str, Any]] = [
        {
            "id": model.id,
            "embedded": model.embedded,
            "parameters": model.parameters,
            "methods": [str(method) for method in model.methods],
            "shortlist": str(model.shortlist),
            "title": model.shown,
            "source": model.source,
            "licence": model.licence,
            "languages": model.languages,
            "chat_format": model.chat_format,
            "context_length": model.context_length,
            "note": _note(model),
        }
        for model in models.registry()
    ]
    if json:
        print_json(facts)
        return
    print_table(
        ("model", "parameters", "methods", "shortlist", "weights"),
        [
            (m["id"], f"{m['parameters']:,}", ", ".join(m["methods"]), m["shortlist"], _about(m))
            for m in facts
        ],
    )


def _note(model: BaseModel) -> str:
    """What to know before choosing it: what is missing, or how long its first use takes to begin."""
    from engine import estimate, models

    seconds = estimate.preparing_seconds(model)
    prepared = f"Prepared on first use, about {seconds:.0f} s." if seconds else ""
    return model.note or models.obstacle(model) or prepared


def _about(facts: dict[str, Any]) -> str:
    parts = (facts["source"], facts["licence"], facts["languages"], facts["chat_format"])
    return " ".join(filter(None, (f"{', '.join(filter(None, parts))}.", facts["note"])))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What the model is called from now on.")],
    folder: Annotated[Path, typer.Argument(help="A saved Llama, Mistral, Qwen2 or Qwen3: safetensors.")],
) -> None:
    """Check a folder with a model and list it; nothing in it is ever run."""
    from engine import models, settings

    model = models.add_local(name, folder, settings.current().home)
    facts = f"{model.parameters:,} parameters, reads {model.context_length:,} tokens"
    err.print(f"Added {model.id}: {facts}.", markup=False)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A model that was added.")]) -> None:
    """Forget an added model and delete what is kept of it; the folder that it came from stays."""
    from engine import models, settings

    models.remove_local(name, settings.current().home)
    err.print(f"Removed {name}.", markup=False)
