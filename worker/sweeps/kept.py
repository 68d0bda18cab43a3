"""What has been run: settings put together from their seeds, kept in the file of `--json`, and found there again.

Must not compute, and prints nothing.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dimat.results import without_details
from dimat.spec import spec_sha256
from worker.data.sweep import Setting, Sweep
from worker.sweeps.files import write_json

PAUSE = 10
"""Times the writing took, until the next: of a thousand settings the file is long, and each writing writes all of it."""


class KeptError(Exception):
    """The file holds something else; the message says what, and what to do."""


class Kept:
    """Results by the setting's number, in every detail. Those of a sweep are kept in `path` while it goes on; a single pilot is
    written once, at its end, and in the shape that it shares with the demo."""

    def __init__(self, sweep: Sweep, path: Path | None, baselines: Sequence[str]) -> None:
        """Raises: KeptError: the file holds anything but results of this sweep. OSError."""
        self._sweep, self._path, self._baselines = sweep, path, list(baselines)
        self._digests = [spec_sha256(setting.spec) for setting in sweep.settings]
        # A sweep has no runs that were, which could be left out; and files from before these were told go on, too.
        self._amendments = [one.model_dump(mode="json", exclude={"left_out"}) for one in sweep.amendments]
        self._parts: dict[int, dict[int, dict[str, Any]]] = {}
        self._next_writing = 0.0
        self.found: dict[int, dict[str, Any]] = {} if sweep.is_single or path is None else self._read(path)
        self.num_found = len(self.found)

    @property
    def results(self) -> list[dict[str, Any]]:
        """Of all settings that are done, in their order."""
        return [self.found[number] for number in sorted(self.found)]

    def add(self, setting: Setting, seed: int, part: dict[str, Any]) -> None:
        """Takes what one seed gave, and keeps the setting once it has all. Raises: OSError."""
        parts = self._parts.setdefault(setting.number, {})
        parts[seed] = part
        if len(parts) < len(setting.spec.seeds):
            return
        in_order = [self._parts[setting.number][seed] for seed in setting.spec.seeds]
        del self._parts[setting.number]
        together = {
            kind: [one for part in in_order for one in part[kind]]
            for kind in ("runs", "baselines")
            if kind in in_order[0]
        }
        # What names the pilot is that of all seeds together.
        whole = {
            "spec_sha256": self._digests[setting.number - 1],
            "spec": setting.spec.model_dump(mode="json"),
        }
        pilot = in_order[0]["pilot"] | whole
        named = {"setting": setting.number, "values": dict(setting.values), "pilot": pilot}
        self.found[setting.number] = named | together
        if not self._sweep.is_single and time.monotonic() >= self._next_writing:
            self.write()

    def write(self) -> None:
        """Raises: OSError."""
        if self._path is None:
            return
        began = time.monotonic()
        write_json(
            self._path, self._single() if self._sweep.is_single else self._head() | {"settings": self.results}
        )
        self._next_writing = time.monotonic() + PAUSE * (time.monotonic() - began)

    def _single(self) -> dict[str, Any]:
        result = self.found[1]
        runs = {
            kind: [run | {"rounds": [without_details(one) for one in run["rounds"]]} for run in result[kind]]
            for kind in ("runs", "baselines")
            if kind in result
        }
        return {"pilot": result["pilot"]} | runs

    def _head(self) -> dict[str, Any]:
        return {
            "sweep": {place: list(values) for place, values in self._sweep.values.items()},
            "baselines": self._baselines,
            "spec_sha256s": self._digests,
            "amendments": self._amendments,
        }

    def _read(self, path: Path) -> dict[int, dict[str, Any]]:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError as error:
            raise self._other("it is no JSON") from error
        if not text.strip():
            return {}
        try:
            there = json.loads(text)
        except ValueError as error:
            raise self._other("it is no JSON") from error
        if not isinstance(there, Mapping) or "settings" not in there:
            raise self._other("it is no result of a sweep")
        if there.get("spec_sha256s") != self._digests:
            raise self._other("its pilots are others (spec_sha256s differ)")
        if there.get("amendments", []) != self._amendments:
            raise self._other("its amendments are others")
        if there.get("baselines") != self._baselines:
            raise self._other(f"its baselines are {', '.join(there.get('baselines') or ['none'])}")
        try:
            return {
                result["setting"]: {"pilot": result["pilot"], "runs": result["runs"], **result}
                for result in there["settings"]
            }
        except (TypeError, KeyError) as error:
            raise self._other("a setting in it is not whole") from error

    def _other(self, why: str) -> KeptError:
        return KeptError(
            f"{self._path} is not of this sweep: {why}. Choose another file with --json, or remove that one."
        )
