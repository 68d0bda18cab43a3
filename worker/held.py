"""Models of neighbours that a site keeps from one merge to the next, where they may come as differences to these (`dimat.wire.deltas`).

They save bytes and nothing depends on them: what is gone, damaged or from another machine is fetched whole, and what is wrong here is said
in the log and stops no step. They lie in a folder of the worker's own, which nobody else may read, under names that are digests: what a
message says cannot lead out of it. Several processes may share it: files appear whole, and what one of them removes the others do without.

What a step fetches is put aside, and takes the place of what was held only when the step has made its artifacts: until then another
attempt finds what this one found, and fetches the same bytes.
"""

import hashlib
import logging
import os
import time
import uuid
from pathlib import Path

log = logging.getLogger(__name__)
KEPT_S = 60 * 86_400.0
"""So long a model is kept that no merge replaces. The next merge may be weeks away; of a run that has ended nobody tells."""
ASIDE_S = 86_400.0
"""So long what a step put aside that was killed."""
TIDY_EVERY_S = 86_400.0
"""So often a process looks what has become too old, whatever its steps keep."""


class HeldFolder:
    """All that a worker keeps, of `most_bytes` at most: the oldest go first. 0: it keeps none, and removes what it had kept."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self._most_bytes = folder, most_bytes
        self._tidied_at: float | None = None

    @property
    def keeps(self) -> bool:
        """Whether it keeps anything at all."""
        return self._most_bytes > 0

    def of(self, run_id: str, receiver: int) -> "Held":
        """What the site of the index `receiver` has in this run."""
        return Held(self, run_id, receiver)

    def write(self, name: str, content: bytes) -> None:
        """Raises: OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        path = self.folder / name
        file = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
        try:
            with file:
                file.write(content)
        except OSError:  # a full disk: half of it is of no use, and nobody would count it
            path.unlink(missing_ok=True)
            raise

    def tidy_daily(self) -> None:
        """As `tidy`, once a day; what goes wrong is said in the log."""
        now = time.monotonic()
        if self._tidied_at is not None and now - self._tidied_at < TIDY_EVERY_S:
            return
        self._tidied_at = now
        try:
            if self.folder.exists():
                self.tidy()
        except OSError as error:
            log.warning("models of neighbours that are too old may stay in %s: %s", self.folder, error)

    def tidy(self) -> None:
        """Removes what is too old, and the oldest of what is too much. Raises: OSError."""
        now, found = time.time(), []
        for path in self.folder.iterdir():
            try:
                about = path.stat()
                if now - about.st_mtime > (ASIDE_S if path.name.startswith(".") else KEPT_S):
                    path.unlink()
                else:
                    found.append((about.st_mtime, path, about.st_size))
            except FileNotFoundError:  # another process was faster
                continue
        total = sum(num_bytes for _, _, num_bytes in found)
        num_found = len(found)
        for _, path, num_bytes in sorted(found):
            if total <= self._most_bytes:
                break
            path.unlink(missing_ok=True)
            total -= num_bytes
            num_found -= 1
        if num_found < len(found) and self.keeps:
            log.warning(
                "%d models of neighbours were more than %d bytes: the oldest %d went, and come whole the next time (AWASE_HELD_MB)",
                len(found), self._most_bytes, len(found) - num_found,
            )  # fmt: skip


class Held:
    """What one site has of its neighbours in one run, as one step sees it."""

    def __init__(self, folder: HeldFolder, run_id: str, receiver: int) -> None:
        self._folder, self._whose = folder, f"{run_id}/{receiver}"
        self._aside: dict[int, str] = {}

    def content(self, sender: int) -> bytes | None:
        """As what the model of the site `sender` travelled that is held; None: none is."""
        try:
            return (self._folder.folder / self._name(sender)).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the model held of site %d cannot be read: %s", sender, error)
            return None

    def digest(self, sender: int) -> str | None:
        """Its name, by the bytes that are there."""
        content = self.content(sender)
        return None if content is None else hashlib.sha256(content).hexdigest()

    def put_aside(self, sender: int, content: bytes) -> None:
        """What was fetched now, to be held when the step is done."""
        name = f".{self._name(sender)}.{uuid.uuid4().hex}"
        try:
            self._folder.write(name, content)
        except OSError as error:
            log.warning("the model of site %d is not kept, and comes whole the next time: %s", sender, error)
        else:
            self._aside[sender] = name

    def keep(self) -> None:
        """The step is done: what was put aside is held from now on."""
        folder, aside, num_fetched = self._folder.folder, self._aside, len(self._aside)
        for sender, name in list(aside.items()):
            try:
                (folder / name).replace(folder / self._name(sender))
            except OSError as error:
                log.warning(
                    "the model of site %d is not kept, and comes whole the next time: %s", sender, error
                )
            else:
                del aside[sender]
        try:
            if len(aside) < num_fetched:  # there is more now; what is only old goes daily
                self._folder.tidy()
        except OSError as error:
            log.warning("models of neighbours that are too old may stay in %s: %s", folder, error)
        self.drop()

    def drop(self) -> None:
        """The step came to nothing."""
        for name in self._aside.values():
            try:
                (self._folder.folder / name).unlink(missing_ok=True)
            except OSError as error:
                log.warning("a model that was put aside stays for a while: %s", error)
        self._aside = {}

    def _name(self, sender: int) -> str:
        return hashlib.sha256(f"{self._whose}/{sender}".encode()).hexdigest()
