"""The campus of full size is put where there is no site yet, and never over another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.__main__ import main
from hub.settings import load, shipped


@pytest.fixture
def simulate(monkeypatch):
    def call(folder: Path) -> int:
        monkeypatch.setattr("hub.cli.simulation.run", lambda job: job.close())
        words = ["campus-hub", "simulate", "--campus", "reference", "--config", str(folder)]
        monkeypatch.setattr("sys.argv", words)
        return main()

    return call


def test_an_empty_folder_becomes_the_reference_campus_and_stays_as_it_is(simulate, tmp_path):
    folder = tmp_path / "full"
    assert simulate(folder) == 0
    settings = load(folder)
    assert len(settings.devices) == 4_870
    text = (folder / "campus.yaml").read_text("utf-8").replace("8080", "8081")
    (folder / "campus.yaml").write_text(text, "utf-8")
    assert simulate(folder) == 0
    assert load(folder).web.port == 8081


def test_another_site_is_left_alone(simulate, tmp_path, capsys):
    text = (shipped() / "campus.yaml").read_text("utf-8")
    (tmp_path / "campus.yaml").write_text(text, "utf-8")
    assert simulate(tmp_path) == 2
    assert "holds another site" in capsys.readouterr().err
    assert (tmp_path / "campus.yaml").read_text("utf-8") == text
    assert not (tmp_path / "devices.csv").exists()
