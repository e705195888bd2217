"""Write what the grids' datasets are like: python -m grids.describe_datasets --source ../shared/datasets

grids/datasets.json holds figures only (task, rows, labels, median words): "datasets like mine" reads it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine import dataset, similar


def describe(source: Path) -> dict[str, dict[str, object]]:
    """The facts of each folder of `source` by its name, from its training file."""
    return {
        path.parent.name: similar.facts(dataset.build(path), _rows(path)).to_dict()
        for path in sorted(source.glob("*/train.jsonl"))
    }


def _rows(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_bytes().splitlines())


def main() -> None:
    """Write the facts anew."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder with a folder for each dataset")
    found = describe(parser.parse_args().source)
    similar.FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
