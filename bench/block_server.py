"""A Modbus TCP server for measuring clients: any unit, any register, in a process of its own.

The C server of ``../shared/bench`` is used where its source and a compiler are present: it counts
its answers and costs the machine little. Otherwise pymodbus serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

SOURCE = Path("../shared/bench")  # beside the checkout
FIRST, COUNT = 100, 20
PATIENCE_S = 20.0


class Server:
    """A running server; ``answered`` is None where it does not count."""

    def __init__(self, process: subprocess.Popen[str], port: int, kind: str) -> None:
        self.process, self.port, self.kind = process, port, kind

    def answered(self) -> int | None:
        """Return how many requests were answered so far."""
        if self.kind != "C" or self.process.stderr is None:
            return None
        self.process.send_signal(signal.SIGUSR1)
        return int(self.process.stderr.readline())


@contextlib.contextmanager
def serving(source: Path, cores: set[int] | None = None) -> Iterator[Server]:
    """Run a server, on these cores if any are named, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="bench-server-") as folder:
        program = _compiled(source, Path(folder))
        command = [program] if program else [sys.executable, "-m", "bench.block_server"]
        with subprocess.Popen([*command, str(port)], stderr=subprocess.PIPE, text=True) as process:
            try:
                if cores:
                    os.sched_setaffinity(process.pid, cores)
                _wait_for(port, process)
                yield Server(process, port, "C" if program else "pymodbus")
            finally:
                process.kill()


def _compiled(source: Path, folder: Path) -> str | None:
    file, compiler = source / "modbus_server.c", shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not file.is_file():
        return None
    program = str(folder / "modbus_server")
    subprocess.run([compiler, "-O2", "-w", "-o", program, str(file)], check=True)
    return program


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit("the device server did not start")


async def _serve(port: int) -> None:
    registers = SimData(FIRST, values=[0x3F80, 0] * (COUNT // 2), datatype=DataType.REGISTERS)
    await ModbusTcpServer(
        SimDevice(0, simdata=registers), address=("127.0.0.1", port)
    ).serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
