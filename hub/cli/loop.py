"""Run a coroutine the way the hub runs: on uvloop where it is installed, ended by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def new_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop; everything works on the stock one too."""
    if importlib.util.find_spec("uvloop"):
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop()


def run(job: Coroutine[Any, Any, T]) -> T:
    """Run ``job`` to its end; SIGTERM interrupts it as Ctrl-C does, so that it cleans up."""
    # A shell starts what it puts into the background with SIGINT ignored; a stop must work there.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(job)


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Take what stands now for lasting, and look for rings of garbage less often.

    A hub makes few rings; looking for them among all that lasts takes a seventh of its CPU at
    1,000 polls a second.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def signalled() -> asyncio.Event:
    """Return what SIGINT and SIGTERM set from now on, instead of interrupting."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told


async def until_signal(
    *others: Callable[[], Awaitable[Any]], told: asyncio.Event | None = None
) -> None:
    """Wait for SIGINT or SIGTERM, or until one of ``others`` returns or raises.

    ``told`` is what :func:`signalled` returned, where a signal may have come before this wait.
    """
    told = told or signalled()
    tasks = [asyncio.ensure_future(other()) for other in (told.wait, *others)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
