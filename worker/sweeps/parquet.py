"""Writes a table as Parquet with DuckDB, which only those install who want it (the extra `parquet`)."""

import errno
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from worker.sweeps.files import whole


def write_parquet(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> None:
    """The file is written whole or not at all. Rows stay in their order; a value that is missing is null.

    Args:
        columns: name -> type of DuckDB.

    Raises:
        OSError.
    """
    import duckdb

    # Extensions would be fetched from the network; reading JSON and writing Parquet are built in.
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with TemporaryDirectory() as folder, whole(path) as target:
        source = Path(folder) / "rows.json"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        with duckdb.connect(config=config) as connection:
            table = connection.read_json(
                str(source), columns=dict(columns), format="newline_delimited", maximum_object_size=2**28
            )
            try:
                table.write_parquet(str(target), compression="zstd")
            except duckdb.IOException as error:
                raise OSError(errno.EIO, str(error), str(path)) from error
