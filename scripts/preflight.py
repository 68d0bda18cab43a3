"""Whether `up` or `demo` could start, asked before an installation of minutes: the supervisor's own checks, early.

Called with the machine's Python: of the product only what needs the standard library alone.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shell import ROOT, Problem

FLAGS = ("--exit", "--help")


def check(call: Sequence[str], environment: Mapping[str, str]) -> None:
    """Port, data directory and its disk, as the call (`up` or `demo` with its options) and the environment name them.

    Raises:
        Problem: the start would be refused; in the words in which it would be.
    """
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from backend.supervisor.place import StartError, claim

    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("command")
    parser.add_argument("--json")
    for flag in FLAGS:
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--data-dir", default=environment.get("AWASE_DATA_DIR") or str(ROOT / "var"))
    parser.add_argument("--host", default=environment.get("AWASE_HOST") or "127.0.0.1")
    parser.add_argument("--port", type=int, default=environment.get("AWASE_PORT") or 8765)
    try:
        wanted, unknown = parser.parse_known_args(call)
        if unknown:
            raise Problem(
                f"there is no option {unknown[0]}. ./awase {wanted.command} --help lists those that there are."
            )
        if wanted.help:
            return
        with claim(Path(wanted.data_dir), wanted.host, wanted.port):
            pass
    except StartError as error:
        raise Problem(str(error)) from None
    except argparse.ArgumentError as error:
        raise Problem(f"{error}. Correct this option and try again.") from None
    except OverflowError:
        return  # a port that is no port: the program itself says which there are
