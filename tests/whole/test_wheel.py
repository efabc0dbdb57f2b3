"""The wheel works where there is no checkout: configuration, pages and migrations are inside."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.whole.program import CHECKOUT
from tests.whole.site import terminal, write_site

PACKAGES = {"hub", "drivers", "rules", "simulators"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, without a network, of a copy on whose config folder a hub has run."""
    copy, folder = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for name in (*sorted(PACKAGES), "config"):
        shutil.copytree(CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, copy)
    (copy / "config" / "var").mkdir(exist_ok=True)
    (copy / "config" / "var" / "hub.sqlite").write_text("passwords")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone; what it needs is in the environment of the tests."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment was made without pip, which installs the wheel here")
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel),
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return target


def test_the_wheel_holds_the_packages_and_the_whole_config_folder(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == PACKAGES
    config = CHECKOUT / "config"
    for path in (*config.glob("*.yaml"), *config.glob("[!v]*/*")):
        assert f"hub/_config/{path.relative_to(config).as_posix()}" in names


def test_the_wheel_holds_no_data_of_a_hub_that_ran_on_the_config_folder(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert [name for name in names if "/var/" in name or name.endswith("sqlite")] == []


def test_check_of_an_installed_wheel_uses_the_profiles_and_rules_inside(
    installed: Path, tmp_path: Path
) -> None:
    site = write_site(
        tmp_path / "config",
        [terminal("dorm-07/shower-1-01")],
        mqtt={"url": "mqtt://127.0.0.1:1883"},
    )

    here = _run(installed, tmp_path, "-m", "hub", "check")
    where = _run(installed, tmp_path, "-c", "from hub.settings import shipped; print(shipped())")

    assert (here.returncode, here.stderr) == (0, "")
    assert "1 devices, 8 points" in here.stdout
    assert where.stdout.strip() == str(installed / "hub" / "_config")
    assert list(tmp_path.iterdir()) == [site]


def test_an_installed_wheel_checks_the_campus_that_it_ships(
    installed: Path, tmp_path: Path
) -> None:
    done = _run(
        installed, tmp_path, "-m", "hub", "check", "--config", str(installed / "hub" / "_config")
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_an_installed_wheel_plays_a_scenario(installed: Path, tmp_path: Path) -> None:
    script = {"version": 1, "id": "quiet", "title": {"zh": "静", "en": "Quiet"}, "length": "PT10M"}
    script |= {"start": "2026-11-21T18:30:00+08:00", "expect": {"tickets": 0}}
    (tmp_path / "quiet.yaml").write_text(yaml.safe_dump(script), "utf-8")

    done = _run(installed, tmp_path, "-m", "hub", "scenario", "run", "quiet.yaml")

    assert done.returncode == 0, done.stdout + done.stderr


def test_an_installed_wheel_serves_its_pages(installed: Path, tmp_path: Path) -> None:
    ask = (
        "import asyncio, httpx\n"
        "from hub.app import Outside, running\n"
        "from hub.clock import RealClock\n"
        "from hub.settings import load\n"
        "from pathlib import Path\n"
        "async def look():\n"
        "    async with running(load(Path('config')), RealClock(), Outside(memory=True)) as hub:\n"
        "        web = httpx.AsyncClient(base_url=hub.address, trust_env=False, timeout=60)\n"
        "        async with web as http:\n"
        "            page = await http.get('/login')\n"
        "            sheet = page.text.split('href=\"/static/')[1].split('\"')[0]\n"
        "            print(page.status_code, (await http.get('/static/' + sheet)).status_code)\n"
        "asyncio.run(look())\n"
    )
    write_site(tmp_path / "config")

    done = _run(installed, tmp_path, "-c", ask)

    assert done.stdout.split() == ["200", "200"], done.stderr


def _run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder where only the installed wheel is ours."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
