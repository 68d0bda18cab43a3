"""Files that are written whole or not at all."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when the block ends well, and goes away otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by `mkstemp`, whose files nobody else may read: these are results, for whom the umask says.
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink()
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Raises: OSError; ValueError where a number is not finite."""
    with whole(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, allow_nan=False)
        file.write("\n")
