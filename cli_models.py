"""The `models` commands: list the base models, add one from a folder of safetensors, remove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from terminal import Json, err, print_json, print_table

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
        }
        for model in models.registry()
    ]
    if json:
        print_json(facts)
        return
    print_table(
        ("model", "parameters", "methods", "shortlist"),
        [(m["id"], f"{m['parameters']:,}", ", ".join(m["methods"]), m["shortlist"]) for m in facts],
    )


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
