"""The doctor finds what is wrong with an installation and says what to do."""

import fcntl
import grp
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import doctor
from hub.database.connection import open_database
from hub.doctor import Finding, examine
from hub.journal import Journal, open_connection
from hub.model import Entry, EntryKind
from hub.settings import load
from tests.ports import free_port

CAMPUS = """\
version: 1
site: {{id: try, name: {{zh: 试, en: Try}}, timezone: Asia/Shanghai}}
web: {{port: {port}}}
gateways:
{gateways}
{more}
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


class House:
    """A site folder to examine."""

    def __init__(self, folder: Path, gateway: int) -> None:
        self.folder = folder
        self.gateway = gateway
        self.port = free_port()
        self.gateways = ""
        self.more = ""

    def findings(self) -> dict[str, Finding]:
        plain = f'  - {{id: gw-07a, url: "tcp://127.0.0.1:{self.gateway}"}}'
        gateways = self.gateways or plain
        text = CAMPUS.format(port=self.port, gateways=gateways, more=self.more)
        (self.folder / "campus.yaml").write_text(text, "utf-8")
        return {finding.where: finding for finding in examine(load(self.folder))}

    def wrong(self) -> dict[str, Finding]:
        return {where: one for where, one in self.findings().items() if not one.ok}

    @property
    def data(self) -> Path:
        (self.folder / "var").mkdir(exist_ok=True)
        return self.folder / "var"


@pytest.fixture
def house(tmp_path: Path, listener: socket.socket) -> House:
    return House(tmp_path, port_of(listener))


def test_a_fresh_installation_is_in_order(house: House) -> None:
    findings = house.findings()
    assert [finding for finding in findings.values() if not finding.ok] == []
    assert findings[f"tcp://127.0.0.1:{house.gateway}"].what == "answers"
    assert findings[str(house.folder / "var" / "hub.sqlite")].what.startswith("will be made")
    assert not (house.folder / "var").exists(), "looking changes nothing"


def test_what_an_earlier_run_left_is_looked_at(house: House) -> None:
    open_database(str(house.data / "hub.sqlite")).close()
    journal = Journal(open_connection(house.data / "journal.sqlite"))
    journal.append([Entry(EntryKind.TICK, 1)])
    journal.close()
    findings = house.findings()
    assert findings[str(house.data / "hub.sqlite")].what == "open, tables up to date"
    assert findings[str(house.data / "journal.sqlite")].what == "whole"


@pytest.mark.parametrize("name", ["hub.sqlite", "journal.sqlite"])
def test_a_damaged_file_is_named(house: House, name: str) -> None:
    (house.data / name).write_bytes(b"this was a table once" * 1000)
    (finding,) = house.wrong().values()
    assert finding.where.endswith(name)
    assert finding.do


def test_a_damaged_page_of_the_journal_is_found(house: House) -> None:
    path = house.data / "journal.sqlite"
    journal = Journal(open_connection(path))
    for n in range(200):
        journal.append([Entry(EntryKind.ACTION, n, content={"text": "x" * 1000})])
    journal.close()
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 4096)
    (finding,) = house.wrong().values()
    assert finding.where == str(path)
    assert "move the file aside" in finding.do


def test_a_gateway_that_is_not_there_is_named(house: House) -> None:
    house.gateway = free_port()
    (finding,) = house.wrong().values()
    assert finding.where == f"tcp://127.0.0.1:{house.gateway}"
    assert finding.what == "refused: nothing listens there"
    assert "gw-07a" in finding.do


def test_a_gateway_that_swallows_everything_costs_only_the_patience(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_PATIENCE_S", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        house.gateway = port_of(full)
        waiting = [socket.create_connection(("127.0.0.1", house.gateway))]  # the queue is full now
        (finding,) = house.wrong().values()
        waiting[0].close()
    assert finding.what == "no answer within 0.2 s"


@pytest.mark.parametrize("url", ["rtu+tcp://127.0.0.1:{port}", "tcp+tls://127.0.0.1:{port}"])
def test_every_gateway_of_the_network_is_tried(house: House, url: str) -> None:
    there, away = url.format(port=house.gateway), url.format(port=free_port())
    house.more = f'  - {{id: gw-08a, url: "{away}"}}'
    house.gateways = f'  - {{id: gw-07a, url: "{there}"}}'
    findings = house.findings()
    assert findings[there].what == "answers"
    assert findings[away].what == "refused: nothing listens there"


@pytest.fixture
def serial_port() -> Iterator[Path]:
    """Return a port of this machine that may be opened."""
    master, slave = os.openpty()
    yield Path(os.ttyname(slave))
    os.close(master)
    os.close(slave)


def test_a_serial_port_is_looked_at_and_not_opened(
    house: House, serial_port: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.gateways = f'  - {{id: gw-07a, url: "serial://{serial_port}"}}'
    finding = house.findings()[f"serial://{serial_port}"]
    assert (finding.ok, finding.what) == (True, "there, and may be opened")
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (finding,) = house.wrong().values()
    assert finding.what == "this account may not open it"
    group = grp.getgrgid(serial_port.stat().st_gid).gr_name
    assert f"into group {group}" in finding.do


def test_a_serial_port_that_is_not_there_or_none_is_named(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    house.gateways = (
        f'  - {{id: gw-07a, url: "serial://{tmp_path}/file"}}\n'
        '  - {id: gw-08a, url: "serial:///dev/no-such-port"}'
    )
    wrong = house.wrong()
    assert wrong[f"serial://{tmp_path}/file"].what == "is no serial port"
    gone = wrong["serial:///dev/no-such-port"]
    assert gone.what == "not there: No such file or directory"
    assert "ls -l /dev/serial/by-id" in gone.do


def test_the_key_of_a_gateway_is_private(house: House) -> None:
    files = "ca_file: ca.pem, cert_file: hub.pem, key_file: hub.key"
    house.gateways = f'  - {{id: gw-07a, url: "tcp+tls://127.0.0.1:{house.gateway}", {files}}}'
    (house.folder / "hub.key").write_text("k")
    (house.folder / "hub.key").chmod(0o644)
    (finding,) = house.wrong().values()
    assert (finding.where, finding.what) == (str(house.folder / "hub.key"), "others can read it")


def test_broker_and_store_are_tried(house: House) -> None:
    mqtt, influx = free_port(), free_port()
    house.more = (
        f'mqtt: {{url: "mqtt://127.0.0.1:{mqtt}"}}\n'
        f'store: {{kind: influx, url: "http://127.0.0.1:{influx}", bucket: b}}'
    )
    assert house.wrong().keys() == {f"mqtt://127.0.0.1:{mqtt}", f"http://127.0.0.1:{influx}"}


def test_the_port_of_the_embedded_broker_is_tried(house: House) -> None:
    house.more = f"mqtt: {{embedded: true, port: {house.gateway}}}"
    assert house.wrong().keys() == {f"mqtt://127.0.0.1:{house.gateway}"}


def test_a_port_held_by_another_program_is_wrong(house: House) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        house.port = server.server_port
        (finding,) = house.wrong().values()
        server.shutdown()
    assert finding.where == f"http://127.0.0.1:{house.port}"
    assert "ss -ltnp" in finding.do


def test_beside_a_running_hub_its_devices_and_files_are_left_alone(house: House) -> None:
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    (house.data / "hub.sqlite").write_bytes(b"in use")
    with (
        http.server.HTTPServer(("127.0.0.1", 0), Hub) as server,
        (house.data / "lock").open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        house.port = server.server_port
        house.gateway = free_port()
        findings = house.findings()
        server.shutdown()
    assert all(finding.ok for finding in findings.values())
    assert findings[f"http://127.0.0.1:{house.port}"].what == "a hub answers"
    assert f"tcp://127.0.0.1:{house.gateway}" not in findings


def test_a_hub_that_holds_the_folder_but_serves_no_pages_is_wrong(house: House) -> None:
    with (house.data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (finding,) = house.wrong().values()
    assert finding.what == "nobody answers"


def test_a_lock_file_nobody_holds_is_no_running_hub(house: House) -> None:
    (house.data / "lock").touch()
    assert f"tcp://127.0.0.1:{house.gateway}" in house.findings()


def test_a_data_folder_that_cannot_be_written_is_wrong(house: House) -> None:
    house.more = "data: /proc/self"
    findings = house.wrong()
    written = [finding for finding in findings.values() if "cannot be written" in finding.what]
    assert written
    assert "change data in campus.yaml" in written[0].do


def test_too_little_room_is_wrong(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_FREE", 10**18)
    (finding,) = house.wrong().values()
    assert "GB free" in finding.what
    assert "make room" in finding.do


@pytest.mark.parametrize(
    ("mode", "expected"), [(None, "cannot be read"), (0o644, "others can read it"), (0o600, "")]
)
def test_a_secret_is_there_and_private(house: House, mode: int | None, expected: str) -> None:
    house.more = 'store: {kind: influx, url: "http://127.0.0.1:1", bucket: b, token_file: token}'
    if mode is not None:
        (house.folder / "token").write_text("t")
        (house.folder / "token").chmod(mode)
    finding = house.findings()[str(house.folder / "token")]
    assert finding.ok == (expected == "")
    assert expected in finding.what or finding.ok
