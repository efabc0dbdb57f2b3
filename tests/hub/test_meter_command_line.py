"""`campus-hub meter change`: into the database when no hub runs, else through the hub."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.cli import run
from hub.whole import Hub
from tests.ports import free_ports
from tests.whole.asking import command, hub_of
from tests.whole.program import PASSWORD, signed_in
from tests.whole.site import BUILDING, write_site

METER = "dorm-07/meter-101"
SAID = ["meter", "change", METER, "--at", "2026-01-05T14:05", "--closing", "812.5"]
WHY = ["--opening", "0", "--reason", "broken glass", "--user", "admin"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (web_port,) = free_ports(1)
    return write_site(
        tmp_path,
        [
            {
                "id": METER, "profile": "reference-room-meter", "place": BUILDING["id"],
                "gateway": "gw", "unit_id": 1, "interval": "PT60S",
            }
        ],
        places=[BUILDING],
        gateways=[{"id": "gw", "url": "tcp://127.0.0.1:9", "timeout": "PT1S"}],
        web={"port": web_port},
    )  # fmt: skip


async def test_it_works_beside_a_stopped_and_a_running_hub(
    folder: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ["--config", folder, "--json"]
    assert await command(*SAID, *WHY, *config) == 2
    assert "start the hub once with run" in capsys.readouterr().err
    (folder / "var").mkdir()
    assert await command(*SAID, *WHY, *config) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["point"], first["actor"]) == (f"{METER}/energy", "admin (command line)")
    assert first["at"] == "2026-01-05T14:05:00+08:00"
    assert await command(*SAID, *WHY, *config) == 2
    assert "names the same instant" in capsys.readouterr().err
    async with hub_of(folder) as hub:
        assert await asyncio.to_thread(_known, hub) == 1
        monkeypatch.setenv("CAMPUS_HUB_PASSWORD", PASSWORD)
        correct = [*SAID, *WHY, "--corrects", str(first["n"]), "--multiplier", "40"]
        assert await command(*correct, "--config", folder) == 0
        assert "closed at 812.5, opened at 0, times 40 from then on" in capsys.readouterr().out


def _known(hub: Hub) -> int:
    """Sign in, choose a password, and count the changes of the meter."""
    with signed_in(hub.address, hub.one_time_password) as http:
        total: int = http.get(f"/api/v1/devices/{METER}/meter-changes").json()["total"]
        return total


@pytest.mark.parametrize(("name", "value"), [("--closing", "much"), ("--at", "noon")])
def test_bad_usage_is_told(folder: Path, capsys, name: str, value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*SAID, *WHY, name, value])
    assert ended.value.code == 2
    assert value in capsys.readouterr().err
