"""`campus-hub command` writes through a running hub, as a person with a right, or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.ports import free_ports
from tests.whole.program import campus_hub_here, running_hub, started, value_of, wait_for
from tests.whole.site import BUILDING, write_site

PLANT = {"id": "dorm-07/plant", "kind": "plant"}
BOILER = "dorm-07/boiler-1"
PASSWORD = "a kettle for the crew"

Ask = Callable[..., CompletedProcess[str]]


def site(folder: Path, *, writes: bool = True) -> Path:
    device_port, web_port = free_ports(2)
    return write_site(
        folder,
        [
            {
                "id": BOILER, "profile": "reference-boiler", "place": PLANT["id"],
                "gateway": "gw", "unit_id": 1, "interval": "PT1S",
            }
        ],
        places=[BUILDING, PLANT],
        gateways=[{"id": "gw", "url": f"tcp://127.0.0.1:{device_port}", "timeout": "PT2S"}],
        web={"port": web_port},
        writes=writes,
    )  # fmt: skip


def asking(folder: Path, password: str = PASSWORD) -> Ask:
    def ask(*arguments: str, user: str = "admin") -> CompletedProcess[str]:
        command = ["command", *arguments, "--reason", "cold", "--user", user, "--config", folder]
        return campus_hub_here(*command, CAMPUS_HUB_PASSWORD=password)

    return ask


def test_without_a_running_hub_nothing_is_written_and_it_says_so(tmp_path: Path) -> None:
    done = asking(site(tmp_path))(f"{BOILER}/setpoint", "52")
    assert done.returncode == 2
    assert "no hub answers at http://127.0.0.1:" in done.stderr
    assert "start it with run" in done.stderr


@pytest.mark.parametrize("value", ["nan", "1e999", "warm"])
def test_what_is_no_number_is_bad_usage_and_asks_nobody(tmp_path: Path, value: str) -> None:
    done = asking(tmp_path / "no-site")(f"{BOILER}/setpoint", value)
    assert done.returncode == 2
    assert f"argument value: {value!r} is no number; write one like 52 or -0.5" in done.stderr


def test_a_missing_password_file_is_named(tmp_path: Path) -> None:
    done = asking(site(tmp_path))(f"{BOILER}/setpoint", "52", "--password-file", "no-such-file")
    assert done.returncode == 2
    assert "--password-file no-such-file: No such file" in done.stderr


def test_a_command_goes_through_the_running_hub(tmp_path: Path) -> None:
    folder = site(tmp_path)
    setpoint = f"{BOILER}/setpoint"
    with started("simulate", "--config", folder, folder=folder), running_hub(folder) as hub:
        once = asking(folder, str(hub.password))(setpoint, "52")
        assert once.returncode == 2
        assert "change the one-time password first" in once.stderr
        with hub.signed_in() as http:
            wait_for("a reading", lambda: value_of(http, setpoint)["value"] is not None)
        ask = asking(folder)
        done = ask(setpoint, "52", "--key", "k1", "--json")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["outcome"], result["actual"], result["actor"]) == ("done", 52.0, "admin")
        again = ask(setpoint, "52", "--key", "k1", "--json")
        assert json.loads(again.stdout)["done_at"] == result["done_at"]
        blocked = ask(setpoint, "70")
        assert blocked.returncode == 1
        assert "blocked: 70 is outside 40 to 60 degC" in blocked.stdout
        for arguments, user, expected in (
            ((f"{BOILER}/colour", "1"), "admin", f"There is no point {BOILER}/colour"),
            ((setpoint, "52"), "nobody", "nobody: the name or the password is wrong"),
        ):
            refused = ask(*arguments, user=user)
            assert refused.returncode == 2
            assert expected in refused.stderr
