"""Ports of this machine for servers that tests start, stop and start again."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

# Below those that connections go out by: an attempt to connect to one of these, before its server
# listens, may reach itself, and while a server is down somebody's connection may take its port.
FIRST = 20_000
SHARE = 1_500  # of each process that runs tests beside others
SHARES = 8


def _in_turn() -> Iterator[int]:
    """Yield the ports of this process for ever; others begin elsewhere."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, after = FIRST + worker % SHARES * SHARE, os.getpid() * 7
    return itertools.cycle([first + (after + n) % SHARE for n in range(SHARE)])


_ports = _in_turn()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that nobody listens on now, none that was given lately."""
    found: list[int] = []
    with ExitStack() as stack:
        for port in itertools.islice(_ports, SHARE):
            if len(found) == count:
                break
            try:
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            found.append(port)
    assert len(found) == count, "no port is free"
    return found


def free_port() -> int:
    """Return one of them."""
    return free_ports(1)[0]
