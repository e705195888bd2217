"""Reads Parquet files, looking at the row count and the unpacked size before anything is unpacked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine import sheets
from engine.errors import DatasetError
from engine.jsonlayouts import class_names, with_class_names
from engine.sheets import Record, Table, check_width, table_of, too_many_rows

MAX_CHARACTERS = 200_000_000


def read_parquet(path: Path) -> Table:
    """Row count and sizes are looked at before anything is unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > sheets.MAX_ROWS:
                raise too_many_rows(path)
            check_width(file.metadata.num_columns, path)
            names = _class_names(file.schema_arrow.metadata)
        records, issues = with_class_names(_parquet_records(path), names)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path.name} is a damaged Parquet file. Write it again.") from error
    return table_of("parquet", enumerate(records, 1), path, issues)


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of labels that the `datasets` library keeps in the file's metadata."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    if not isinstance(features, dict):
        return {}
    return class_names([{"name": name, "type": kind} for name, kind in features.items()])


def _parquet_records(path: Path) -> list[Record]:
    """Text columns stay dictionaries until their real length is known: few bytes may stand for gigabytes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema
        leaves = [schema.column(i) for i in range(len(schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read(use_threads=False)
    if sum(_characters(column) for column in table.columns) > MAX_CHARACTERS:
        raise DatasetError(f"{path.name} unpacks to more than 200 MB of text. Take fewer rows.")
    records: list[Record] = table.to_pylist()
    return records


def _characters(column: Any) -> int:
    """Bytes of text and of numbers that the column unpacks to."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        while pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            chunk = chunk.flatten()
        if pa.types.is_struct(chunk.type):
            total += sum(_characters(pa.chunked_array([part])) for part in chunk.flatten())
        elif pa.types.is_dictionary(chunk.type):
            lengths = pc.binary_length(chunk.dictionary)
            total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
        else:
            total += chunk.nbytes
    return total
