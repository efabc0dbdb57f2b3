"""Real servers on free ports of this machine, each in a folder of its own."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from tests.ports import free_port, free_ports

UP_S = 90.0
PATIENCE_S = 60.0  # of who asks a server; the machine may be busy


@contextlib.contextmanager
def running(command: Sequence[str | Path], url: str, log: Path) -> Iterator[str]:
    """Run a server until the end of the block; return its address once it answers."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + UP_S
        while True:
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"{url}/ping").raise_for_status()
                break
            assert server.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
        yield url
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE_S)
    finally:  # a process that is left behind fails another test
        server.kill()
        server.wait()


def influxd(
    program: str, folder: Path, port: int | None = None, *, auth: bool = False
) -> contextlib.AbstractContextManager[str]:
    """Run InfluxDB 1.x; the same folder again has what was kept in it."""
    ours, inner = free_ports(2)
    port = port or ours
    (folder / "influx.conf").write_text(
        f"""reporting-disabled = true
bind-address = "127.0.0.1:{inner}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {str(auth).lower()}
[monitor]
store-enabled = false
"""
    )
    command = [program, "-config", str(folder / "influx.conf")]
    return running(command, f"http://127.0.0.1:{port}", folder / "log")


def victoria_metrics(program: str, folder: Path) -> contextlib.AbstractContextManager[str]:
    """Run VictoriaMetrics, which takes the line protocol and gives it back by export."""
    port = free_port()
    command = [
        program,
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-dedup.minScrapeInterval=1ms",
        "-memory.allowedBytes=64MB",
    ]
    return running(command, f"http://127.0.0.1:{port}", folder / "log")
