"""A configuration that the journal holds is read back as it was in force."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from drivers.product import RECORDED
from hub.ports import ConfigError
from hub.settings import load, shipped
from hub.settings.folder import PROFILE
from hub.settings.recorded import recorded
from tests.whole.site import CONFIG, write_site


def test_the_shipped_site_is_read_back_whole() -> None:
    settings = load(shipped())

    again = recorded(json.loads(settings.content), settings.folder)

    assert again.content == settings.content
    assert (again.devices, again.packs, again.promise) == (
        settings.devices, settings.packs, settings.promise,
    )  # fmt: skip


@pytest.mark.parametrize("id_", sorted(path.stem for path in (CONFIG / "profiles").glob("*.yaml")))
def test_every_profile_is_read_back_with_its_defaults_written_out(id_: str) -> None:
    profile = load(shipped()).profiles[id_]
    written = profile.model_dump(mode="json", by_alias=True, exclude_none=True)

    assert PROFILE.validate_python(json.loads(json.dumps(written)), context=RECORDED) == profile


def test_gateways_and_brokers_are_read_back_with_their_defaults_written_out(
    tmp_path: Path,
) -> None:
    gateways = [{"id": "gw", "url": "tcp://127.0.0.1:1502"}]
    mqtt = {"url": "mqtt://127.0.0.1:1883"}
    settings = load(write_site(tmp_path, gateways=gateways, mqtt=mqtt))

    again = recorded(json.loads(settings.content), settings.folder)

    assert (again.gateways, again.mqtt) == (settings.gateways, settings.mqtt)


def test_a_pack_of_the_site_stands_in_the_same_place_afterwards(tmp_path: Path) -> None:
    """The order of the packs is that of the log, where two rules speak at one instant."""
    folder = write_site(tmp_path)
    (folder / "rules").mkdir()
    own = (CONFIG / "rules" / "room-meter.yaml").read_text("utf-8")
    own = re.sub(r"- id: (\S+)", r"- id: own-\1", own.replace("pack: room-meter", "pack: aaa"))
    (folder / "rules" / "aaa.yaml").write_text(own, "utf-8")
    settings = load(folder)

    again = recorded(json.loads(settings.content), folder)

    assert [pack.pack for pack in again.packs] == [pack.pack for pack in settings.packs]
    assert settings.packs[0].pack == "aaa"


def test_a_form_of_another_version_is_one_clear_error() -> None:
    content = json.loads(load(shipped()).content)
    content["rules"]["boiler"]["rules"][0]["kind"] = "oracle"

    with pytest.raises(ConfigError, match="rules: is of a form that this version does not know"):
        recorded(content, Path())
