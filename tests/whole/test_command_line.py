"""The command line as its users meet it: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.program import campus_hub, campus_hub_here, running_hub, started, wait_for
from tests.whole.site import CONFIG, write_site

MISTAKES = {
    "timezone": ("timezone: Asia/Shanghai", "timezone: Asia/Shangai"),
    "url": ("tcp://127.0.0.1:15020", "http://127.0.0.1:15020"),
    "interval_of": ("data: var ", "interval_of: PT1S\ndata: var "),
    "profile": (
        "dorm-07/meter-101, profile: reference-room-meter",
        "dorm-07/meter-101, profile: reference-room-metre",
    ),
    "place": ("place: dorm-07/1/102,", "place: dorm-07/1/120,"),
    "unit_id": (
        "gateway: gw-dorm-07-1, unit_id: 12,",
        "gateway: gw-dorm-07-1, unit_id: 999,",
    ),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", store={"kind": "memory"})


def test_check_is_content_with_the_shipped_configuration() -> None:
    done = campus_hub("check", "--config", "config")

    assert (done.returncode, done.stderr) == (0, "")
    assert "34 devices" in done.stdout


def test_check_lists_six_planted_mistakes_on_six_lines(tmp_path: Path) -> None:
    text = (CONFIG / "campus.yaml").read_text("utf-8")
    for right, wrong in MISTAKES.values():
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    (tmp_path / "campus.yaml").write_text(text, "utf-8")
    lines = text.splitlines()

    done = campus_hub_here("check", "--config", tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    said = done.stderr.splitlines()
    found = [re.fullmatch(r"campus\.yaml:(\d+): ([^:]+): (.+)", line) for line in said]
    assert len(said) == 6, done.stderr
    assert all(found), done.stderr
    planted = {key: wrong for key, (_, wrong) in MISTAKES.items()}
    for line, key, _ in (one.groups() for one in found if one):
        wrong = planted.pop(key.rsplit(".", 1)[-1])
        assert wrong.splitlines()[0].strip() in lines[int(line) - 1]
    assert planted == {}


def test_a_wrong_configuration_starts_nothing(site: Path) -> None:
    write_site(site, unknown=1)

    done = campus_hub("run", "--config", site)

    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert not (site / "var").exists()


def test_a_taken_port_is_one_clear_line(site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_site(site, web={"port": port})
        done = campus_hub("run", "--config", site)

    _refused(done.returncode, done.stderr, str(port), "web.port")


def test_a_taken_port_of_the_broker_is_one_clear_line(site: Path) -> None:
    terminal = {"id": "dorm-07/shower", "profile": "reference-shower-terminal", "place": "dorm-07"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_site(
            site, [terminal], mqtt={"embedded": True, "port": port}, store={"kind": "duckdb"}
        )
        done = campus_hub("run", "--config", site)

    _refused(done.returncode, done.stderr, str(port), "mqtt.port")


def test_a_data_folder_that_cannot_be_written_is_one_clear_line(site: Path) -> None:
    (site / "file").write_text("not a folder")
    write_site(site, data="file/var")

    done = campus_hub("run", "--config", site)

    _refused(done.returncode, done.stderr, "file/var", "cannot be written")


def test_a_second_hub_on_the_same_data_folder_is_refused_and_harms_nothing(site: Path) -> None:
    with running_hub(site) as hub:
        done = campus_hub("run", "--config", site)
        with hub.signed_in() as http:
            assert http.get("/api/v1/devices").status_code == 200

    _refused(done.returncode, done.stderr, str(site / "var"), "another hub")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hub_that_is_told_to_stop_ends_with_zero(site: Path, number: signal.Signals) -> None:
    with running_hub(site) as hub:
        hub.process.send_signal(number)
        assert hub.process.wait(20) == 0

    said = (site / "run.log").read_text("utf-8")
    assert "Traceback" not in said
    assert "Task was destroyed" not in said


def test_a_stop_during_the_start_is_one_in_order(site: Path) -> None:
    with started("run", "--config", site, folder=site) as process:
        wait_for("the data folder", (site / "var" / "lock").exists)
        process.terminate()
        assert process.wait(20) == 0


def test_user_add_works_beside_a_stopped_hub(site: Path) -> None:
    early = campus_hub_here("user", "add", "zhang", "--config", site)
    _refused(early.returncode, early.stderr, "start the hub once")
    with running_hub(site):
        pass

    done = campus_hub_here("user", "add", "zhang", "--role", "duty", "--config", site)
    again = campus_hub_here("user", "add", "zhang", "--config", site)

    assert done.returncode == 0, done.stderr
    password = re.fullmatch(r"zhang \(duty\): (\S+) \(once; they choose another\)\n", done.stdout)
    assert password
    _refused(again.returncode, again.stderr, "zhang")
    with running_hub(site, first=False) as hub:
        hub.name, hub.password = "zhang", password[1]
        with hub.signed_in() as http:
            assert http.get("/api/v1/devices").status_code == 200


def test_schema_prints_json(tmp_path: Path) -> None:
    every = json.loads(campus_hub("schema").stdout)
    one = json.loads(campus_hub_here("schema", "rules").stdout)
    wrong = campus_hub_here("schema", "weather")

    assert set(every) >= {"campus", "profile", "rules", "service"}
    assert one == every["rules"]
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "weather" in wrong.stderr


def test_a_reader_that_has_seen_enough_is_no_mistake() -> None:
    beginning, end = os.pipe()
    os.close(beginning)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "hub", "schema"], stdout=end, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(end)

    assert (done.returncode, done.stderr) == (0, b"")


def test_help_names_every_command_and_its_exit_codes() -> None:
    done = campus_hub("--help")

    assert done.returncode == 0
    for command in ("demo", "run", "check", "schema", "simulate", "scenario", "user", "doctor"):
        assert re.search(rf"^    {command}\b", done.stdout, re.MULTILINE), command
    assert "2 bad input" in done.stdout


def test_a_command_that_is_none_is_refused() -> None:
    done = campus_hub_here("brew")

    assert done.returncode == 2
    assert "brew" in done.stderr


def _refused(code: int, said: str, *words: str) -> None:
    assert code == 2, said
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said
