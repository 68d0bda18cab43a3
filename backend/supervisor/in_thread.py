"""Work that blocks, in a thread that nobody has to wait for: Ctrl-C must not last as long as a server that is silent."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

TO_THE_END_WITHIN_S = 2.0
P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """As `asyncio.to_thread`, but when it is cancelled, work that is not through within two seconds is left behind; it
    ends with the process."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[R] = loop.create_future()

    def told(result: R | None, error: BaseException | None) -> None:
        if end.done():
            return
        if error is not None:
            end.set_exception(error)
        else:
            end.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work(*args, **kwargs)
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told, result, failure)

    threading.Thread(target=run, daemon=True, name=getattr(work, "__name__", "work")).start()
    try:
        return await asyncio.shield(end)
    except asyncio.CancelledError:
        await asyncio.wait({end}, timeout=TO_THE_END_WITHIN_S)
        end.cancel()
        raise
