"""A config folder is read whole: what is right becomes settings, what is wrong has its line."""

import json
import shutil
import time
from pathlib import Path

import pytest

import hub.settings
from hub.ports import ConfigError
from hub.settings import build_site, load, schemas, shipped
from hub.site import Site

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
mqtt: {url: "mqtt://127.0.0.1:1883"}
places:
  - {id: dorm-07, kind: building, name: {zh: 北苑7栋, en: North Garden 7}, students: 320}
  - {id: dorm-07/3/312, kind: room}
gateways:
  - {id: gw-07a, url: "tcp://10.0.7.10:502"}
devices:
  - {id: dorm-07/meter-312, profile: try-meter, place: dorm-07/3/312, gateway: gw-07a, unit_id: 12}
  - {id: dorm-07/shower-1-01, profile: try-shower, place: dorm-07}
"""
METER = """\
version: 1
id: try-meter
maker: Try
model: M
kind: meter
protocol: modbus
source: this test
points:
  power: {table: input, address: 0x34, type: float32, unit: W, label: {zh: 功率, en: Power}}
  energy: {table: input, address: 0x156, type: float32, unit: kWh, kind: counter, rollover: 1000000}
  load_limit: {table: holding, address: 4, unit: W, write: {min: 0, max: 2000, step: 100}}
"""
SHOWER = """\
version: 1
id: try-shower
maker: Try
model: S
kind: shower
protocol: mqtt
source: this test
points: {flow: {unit: L/min}}
"""
SHOWER_RULE = """\
version: 1
pack: shower
applies_to: {kind: shower}
rules:
  - {id: silent, kind: stale, point: flow, on_delay: PT1M, severity: small,
     title: {zh: a, en: a}, guidance: {zh: a, en: a}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "campus.yaml", CAMPUS)
    write(tmp_path, "profiles/try-meter.yaml", METER)
    write(tmp_path, "profiles/try-shower.yaml", SHOWER)
    return tmp_path


def write(folder: Path, name: str, text: str | bytes) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def change(folder: Path, name: str, *pairs: tuple[str, str]) -> None:
    text = (folder / name).read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    write(folder, name, text)


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return list(caught.value.problems)


def numbered(ids: list[str]) -> dict[str, int]:
    return {id_: n for n, id_ in enumerate(ids, 1)}


def site_of(folder: Path) -> Site:
    return build_site(load(folder), numbered)


def test_a_restless_point_that_there_is_not_is_named_with_its_line(folder: Path) -> None:
    restless = "restless: {points: [power, powr], for: PT10M}\n"
    write(folder, "profiles/try-meter.yaml", METER + restless)
    (problem,) = problems(folder)
    line = METER.count("\n") + 1
    assert problem.startswith(f"profiles/try-meter.yaml:{line}: restless.points[1]: ")
    assert "there is no point 'powr'; did you mean 'power'?" in problem


def test_a_good_folder_becomes_a_site(folder: Path) -> None:
    site = site_of(folder)
    meter = site.devices["dorm-07/meter-312"]
    assert (meter.kind, meter.gateway, meter.unit_id) == ("meter", "gw-07a", 12)
    assert [point.id for point in meter.points] == [
        "dorm-07/meter-312/power",
        "dorm-07/meter-312/energy",
        "dorm-07/meter-312/load_limit",
    ]
    power, energy, limit = meter.points
    assert power.label.zh == "功率"
    assert energy.rollover == 1_000_000
    assert limit.writable
    assert not power.writable
    assert site.places["dorm-07/3/312"].name.en == "312"
    assert site.zone.key == "Asia/Shanghai"


def test_a_point_knows_the_step_that_its_register_shows(folder: Path) -> None:
    points = build_site(load(folder), lambda ids: {id_: n for n, id_ in enumerate(ids)}).points
    told = {point.name: point.digit for point in points.values()}
    assert told == {"power": None, "energy": None, "load_limit": 1.0, "flow": None}
    scaled = METER.replace("type: float32, unit: kWh", "type: uint32, scale: 0.1, unit: kWh")
    (folder / "profiles" / "try-meter.yaml").write_text(scaled, "utf-8")
    points = build_site(load(folder), lambda ids: {id_: n for n, id_ in enumerate(ids)}).points
    assert {point.digit for point in points.values() if point.name == "energy"} == {0.1}


def test_what_is_not_written_has_a_safe_value(folder: Path) -> None:
    settings = load(folder)
    assert settings.writes is False
    assert settings.web.host == "127.0.0.1"
    assert settings.store.kind == "duckdb"
    assert settings.data == folder.resolve() / "var"
    assert settings.database == "sqlite"


def test_six_planted_mistakes_are_six_lines(folder: Path) -> None:
    change(
        folder,
        "campus.yaml",
        ("version: 1", "version: 1\ncolour: blue"),
        ("Asia/Shanghai", "Asia/Wuhan"),
        ("tcp://10.0.7.10:502", "http://10.0.7.10:502"),
        ("profile: try-meter, place: dorm-07/3/312", "profile: try-metre, place: dorm-07/3/999"),
        ("unit_id: 12", "unit_id: 999"),
    )
    lines = problems(folder)
    where = [line.split(": ")[0] + " " + line.split(": ")[1] for line in lines]
    assert where == [
        "campus.yaml:2 colour",
        "campus.yaml:3 site.timezone",
        "campus.yaml:9 gateways[0].url",
        "campus.yaml:11 devices[0].place",
        "campus.yaml:11 devices[0].profile",
        "campus.yaml:11 devices[0].unit_id",
    ]
    text = "\n".join(lines)
    assert "unknown key" in text
    assert "Asia/Wuhan" in text
    assert "tcp://10.0.7.10:502" in text
    assert "did you mean 'try-meter'?" in text
    assert "did you mean 'dorm-07/3/312'?" in text
    assert "247, not 999" in text


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version: 1", "version: 2", "campus.yaml:1: version: must be 1, not 2"),
        ("unit_id: 12", "unit_id: 0", "campus.yaml:10: devices[0].unit_id: must be greater than"),
        ("unit_id: 12", "unit: 12", "did you mean 'unit_id'?"),
        (", unit_id: 12", "", "unit_id: missing; try-meter speaks Modbus through a gateway"),
        ("gateway: gw-07a", "gateway: gw-07b", "there is no gateway 'gw-07b'; did you mean"),
        ("place: dorm-07}", "place: dorm-07, unit_id: 3}", "remove it; try-shower speaks MQTT"),
        ('mqtt: {url: "mqtt://127.0.0.1:1883"}\n', "", "try-shower speaks MQTT; add mqtt"),
        ("mqtt://127.0.0.1:1883", "amqp://127.0.0.1", "mqtt.url: the scheme 'amqp' is not known"),
        ("mqtt://127", "mqtt://hub:secret@127", "a password does not belong in this file"),
        ("tcp://10.0.7.10:502", "udp://10.0.7.10:502", "the scheme 'udp' is not known"),
        ("tcp://10.0.7.10:502", "tcp://10.0.7.10", "must be only scheme, host and port"),
        ("tcp://10.0.7.10:502", "tcp://10.0.7.10:99999", "is no URL; write it like"),
        ("kind: room", "kind: cupboard", "places[1].kind: must be 'campus', 'building'"),
        ("kind: room", "kind: building", "'dorm-07/3/312' cannot be a building"),
        ("{id: dorm-07/3/312", "{id: dorm-08/3/312", "there is no building 'dorm-08'"),
        ("{id: dorm-07/3/312", "{id: Dorm 07/3", "'Dorm 07/3' is no id: lower-case letters"),
        ("{id: dorm-07/meter-312", "{id: meter-312", "'meter-312' is no device id: two levels"),
        ("{id: dorm-07/3/312", "{id: 312", "must be a valid string, not 312; put it in quotes"),
        ("unit_id: 12", "unit_id: 12, interval: 60", "a duration is written like PT30S"),
        ("unit_id: 12", "unit_id: 12, interval: PTX", "is no duration; write it like PT30S"),
        ("unit_id: 12", "unit_id: 12, interval: PT0S", "interval: must be greater than"),
        ("name: {zh: 试, en: Try}", "name: {zh: 试}", "campus.yaml:2: site.name.en: missing"),
        ("mqtt:", "store: {kind: csv}\nmqtt:", "store.kind: must be one of 'duckdb', 'memory'"),
        ("mqtt:", "store: {}\nmqtt:", "campus.yaml:3: store.kind: missing; add it"),
        ("mqtt:", "store: {kind: influx, url: 'http://x', buckt: b}\nmqtt:", "mean 'bucket'?"),
        ("mqtt:", "database: mysql://x\nmqtt:", "database: write sqlite, or a URL like"),
        ("mqtt:", "database: 'postgresql+psycopg://h:pw@x/h'\nmqtt:", "use PGPASSFILE"),
        ("mqtt:", "journal: {limit: 1MB}\nmqtt:", "journal.limit: must be greater than"),
        ("mqtt:", "web: {port: 80000}\nmqtt:", "web.port: must be less than or equal to 65535"),
        ("mqtt: {", "mqtt: {embedded: true, ", "mqtt: write one of url"),
        ("mqtt: {", "mqtt: {port: 1884, ", "mqtt: port is for the embedded broker"),
        ("mqtt: {", "mqtt: {password_file: p, ", "mqtt: password_file needs a username"),
        ("students: 320", "students: .nan", "students: must be"),
        ("students: 320", "area_m2: nan", "area_m2: must be a finite number"),
        ("students: 320", "area_m2: 1e9999", "area_m2: must be"),
    ],
)
def test_a_mistake_says_what_to_write(folder: Path, old: str, new: str, expected: str) -> None:
    change(folder, "campus.yaml", (old, new))
    assert expected in "\n".join(problems(folder))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nversion: 1\n", "campus.yaml:2: version: written twice; first on line 1"),
        ("version: 1\nsite: {id: [\n", "is not YAML:"),
        ("version: 1\n\tsite: x\n", "campus.yaml:2: file: is not YAML:"),
        ("- 1\n", "must hold keys and values"),
        ("", "must hold keys and values"),
        ("version: 1\n---\nversion: 1\n", "campus.yaml:2: file: a second document"),
        ("a: &x 1\nb: *x\n", "campus.yaml:1: a: anchors and aliases"),
        ("a: !!python/object/apply:os.system [x]\n", "tags (tag:yaml.org,2002:python/object"),
        ("[1]: 2\n", "a key must be a plain word"),
        ("a: " + "[" * 5000, "nested deeper than 20 levels"),
        (b"version: 1\nname: \xbd\xad\n", "campus.yaml:2: file: is not UTF-8"),
        (b"version: 1\nname: \x00\n", "is not YAML"),
        (b"x" * (17 * 1024 * 1024), "is larger than"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_is_no_configuration_is_refused(
    folder: Path, text: str | bytes, expected: str
) -> None:
    write(folder, "campus.yaml", text)
    assert expected in "\n".join(problems(folder))


def test_a_folder_without_campus_yaml_says_what_a_config_folder_is(tmp_path: Path) -> None:
    (line,) = problems(tmp_path)
    assert line.startswith("campus.yaml:1: file: not found in")


def test_words_of_yaml_1_1_stay_words(folder: Path) -> None:
    change(folder, "campus.yaml", ("en: Try", "en: on"))
    change(folder, "campus.yaml", ("en: North Garden 7", "en: 2026-11-21"))
    assert site_of(folder).name.en == "on"
    assert site_of(folder).places["dorm-07"].name.en == "2026-11-21"


def test_the_same_id_gateway_box_or_unit_twice_is_refused(folder: Path) -> None:
    device = CAMPUS.splitlines()[9]
    gateway = CAMPUS.splitlines()[7]
    change(folder, "campus.yaml", (gateway, gateway + "\n" + gateway.replace("07a", "07b")))
    write(folder, "campus.yaml", (folder / "campus.yaml").read_text("utf-8") + device + "\n")
    text = "\n".join(problems(folder))
    twice = "leads to 10.0.7.10:502: gw-07b and gw-07a by campus.yaml:8 are one gateway"
    assert f"campus.yaml:9: gateways[1].url: tcp://10.0.7.10:502 {twice}" in text
    assert "campus.yaml:13: devices[2].id: 'dorm-07/meter-312' is taken" in text
    assert "campus.yaml:13: devices[2].unit_id: unit 12 of gw-07a is taken" in text


def test_tables_hold_what_the_lists_hold(folder: Path) -> None:
    before = site_of(folder)
    lines = CAMPUS.splitlines(keepends=True)
    write(folder, "campus.yaml", "".join(lines[:3] + lines[6:8]))
    write(
        folder,
        "places.csv",
        b"\xef\xbb\xbf"  # the mark that spreadsheets put in front
        + "id,kind,name.zh,name.en,students,area_m2\r\n"
        "dorm-07,building,北苑7栋,North Garden 7,320,\r\n"
        "\r\n"
        "dorm-07/3/312,room,,,,\r\n".encode(),
    )
    write(
        folder,
        "devices.csv",
        "id,profile,place,gateway,unit_id,interval\n"
        "dorm-07/meter-312,try-meter,dorm-07/3/312,gw-07a,12,PT60S\n"
        "dorm-07/shower-1-01,try-shower,dorm-07,,,\n",
    )
    after = site_of(folder)
    assert after.places == before.places
    assert after.devices == before.devices


def test_a_mistake_in_a_table_has_its_line(folder: Path) -> None:
    lines = CAMPUS.splitlines(keepends=True)
    write(folder, "campus.yaml", "".join(lines[:8]))
    write(
        folder,
        "devices.csv",
        "id,profile,place,gateway,unit_id\n"
        'dorm-07/meter-1,try-meter,"dorm-07/3/312\n",gw-07a,999\n'
        "dorm-07/meter-2,try-meter,dorm-07/3/313,gw-07a,2\n"
        "dorm-07/meter-3,try-meter,dorm-07,gw-07a,2\n"
        "dorm-07/meter-4,try-meter,dorm-07,gw-07a,4,PT1S,x\n",
    )
    lines = problems(folder)
    assert [line.split(": ")[0] for line in lines] == [f"devices.csv:{n}" for n in (2, 4, 5, 6)]
    assert "247, not '999'" in lines[0]
    assert "there is no place 'dorm-07/3/313'" in lines[1]
    assert "unit 2 of gw-07a is taken by devices.csv:4" in lines[2]
    assert "has 7 cells for 5 columns" in lines[3]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,kind,naem\n", "places.csv:1: naem: is no column; columns are id, kind, name.zh"),
        ("id,kind,id\n", "places.csv:1: id: stands here twice"),
        ("", "places.csv:1: header: missing"),
        ('id,kind\n"dorm-07,building\n', "is not CSV"),
        ("id,kind\n北苑,building\n".encode("gbk"), "places.csv:2: file: is not UTF-8"),
    ],
)
def test_a_table_that_cannot_be_read_blames_no_device(
    folder: Path, text: str | bytes, expected: str
) -> None:
    lines = CAMPUS.splitlines(keepends=True)
    write(folder, "campus.yaml", "".join(lines[:3] + lines[6:]))
    write(folder, "places.csv", text)
    (line,) = problems(folder)
    assert expected in line


def test_a_broken_profile_is_told_once_and_not_per_device(folder: Path) -> None:
    change(folder, "profiles/try-meter.yaml", ("type: float32, unit: W", "type: float31, unit: W"))
    (line,) = problems(folder)
    assert line.startswith("profiles/try-meter.yaml:9: points.power.type: must be 'bool', 'int8'")


def test_a_broken_profile_is_not_blamed_on_the_rules(folder: Path) -> None:
    change(folder, "profiles/try-shower.yaml", ("L/min", "l/min"))
    write(folder, "rules/shower.yaml", SHOWER_RULE.replace("flow", "only_in_the_broken_one"))
    (line,) = problems(folder)
    assert line.startswith("profiles/try-shower.yaml:8: points.flow.unit: must be")


@pytest.mark.parametrize("number", ["nan", "inf", ".inf", "1e9999", "9" * 400])
def test_a_limit_is_a_finite_number(folder: Path, number: str) -> None:
    change(folder, "profiles/try-meter.yaml", ("max: 2000", f"max: {number}"))
    (line,) = problems(folder)
    assert "points.load_limit.write.max: must be a" in line


def test_a_profile_has_the_name_of_its_file_and_points_that_fit(folder: Path) -> None:
    change(
        folder,
        "profiles/try-meter.yaml",
        ("id: try-meter", "id: try-m\nprobe: {point: frequency, min: 45, max: 65}"),
        ("  power:", "  Power Now:"),
        ("step: 100", "step: 100, safe: 9000"),
    )
    text = "\n".join(problems(folder))
    assert "profiles/try-meter.yaml:2: id: is 'try-m' but the file is try-meter.yaml" in text
    assert "profiles/try-meter.yaml:3: probe.point: there is no point 'frequency'" in text
    assert "'Power Now' is no point name" in text
    assert "points.load_limit.write.safe: 9000 is outside 0 to 2000" in text


def test_a_rule_names_points_that_some_profile_of_its_kind_has(folder: Path) -> None:
    write(
        folder,
        "rules/shower.yaml",
        "version: 1\npack: shower\napplies_to: {kind: shower}\nrules:\n"
        "  - {id: too-hot, kind: high, point: flo, limit: 1, clear: 0, severity: small,\n"
        "     title: {zh: a, en: a}, guidance: {zh: a, en: a},\n"
        "     proof: {point: power, below: 1, for: PT1M, within: PT2H}}\n",
    )
    first, second = problems(folder)
    assert first.startswith("rules/shower.yaml:5: rules[0].point: no profile of kind shower has")
    assert second.startswith("rules/shower.yaml:7: rules[0].proof.point: no profile of kind")


CALENDAR = """\
version: 1
hours:
  night-cut: [{from: "23:30", to: "06:00", days: [sun, workdays]}]
"""


def test_a_calendar_is_part_of_what_is_in_force(folder: Path) -> None:
    before = load(folder)
    write(folder, "calendar.yaml", CALENDAR)
    after = load(folder)
    assert list(after.calendar.hours) == ["night-cut"]
    assert after.content_hash != before.content_hash


def test_a_rule_names_hours_that_the_calendar_has(folder: Path) -> None:
    write(folder, "calendar.yaml", CALENDAR)
    rule = SHOWER_RULE.replace("severity:", "when: {outside: night-cat}, severity:")
    write(folder, "rules/shower.yaml", rule)
    (line,) = problems(folder)
    assert line.startswith("rules/shower.yaml:5: rules[0].when.outside: ")
    assert "no hours 'night-cat'" in line
    assert "night-cut" in line


def test_a_mistake_in_the_calendar_has_its_line(folder: Path) -> None:
    write(folder, "calendar.yaml", CALENDAR.replace("06:00", "6 am"))
    (line,) = problems(folder)
    assert line.startswith("calendar.yaml:3: hours.night-cut[0].to: ")


def test_a_shipped_pack_does_not_forbid_another_profile(folder: Path) -> None:
    own = METER.replace("id: try-meter", "id: reference-room-meter")
    own = own.replace("kind: meter", "kind: boiler")
    write(folder, "profiles/reference-room-meter.yaml", own)
    for name in ("reference-boiler", "eastron-sdm630"):
        write(folder, f"profiles/{name}.yaml", METER.replace("id: try-meter", f"id: {name}"))
    assert load(folder).packs


def test_an_unknown_key_in_one_kind_of_rule_is_told_with_the_keys_of_that_kind(
    folder: Path,
) -> None:
    write(
        folder,
        "rules/shower.yaml",
        SHOWER_RULE.replace("on_delay", "on_dellay"),
    )
    (line,) = problems(folder)
    assert line.startswith("rules/shower.yaml:5: rules[0].on_dellay: unknown key; did you mean")


def test_form_and_references_are_listed_in_one_run_in_order(folder: Path) -> None:
    change(folder, "campus.yaml", ("unit_id: 12", "unit_id: x"), ("place: dorm-07}", "place: q}"))
    change(folder, "profiles/try-meter.yaml", ("table: input", "table: inptu"))
    assert [line.split(": ")[0] for line in problems(folder)] == [
        "campus.yaml:10",
        "campus.yaml:11",
        "profiles/try-meter.yaml:9",
    ]


def test_a_profile_of_the_site_comes_before_the_shipped_one(folder: Path) -> None:
    own = METER.replace("id: try-meter", "id: reference-room-meter")
    write(folder, "profiles/reference-room-meter.yaml", own)
    points = load(folder).profiles["reference-room-meter"].points
    assert list(points) == ["power", "energy", "load_limit"]


def test_content_is_the_same_for_the_same_configuration_and_changes_with_it(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = load(folder)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
    assert load(elsewhere).content_hash == settings.content_hash
    change(elsewhere, "profiles/try-meter.yaml", ("max: 2000", "max: 1900"))
    assert load(elsewhere).content_hash != settings.content_hash
    assert json.loads(settings.content)["profiles"].keys() == {"try-meter", "try-shower"}
    assert str(folder) not in settings.content


def test_a_secret_is_read_from_its_file(folder: Path) -> None:
    write(folder, "broker.secret", "swordfish\n")
    settings = load(folder)
    assert settings.secret("broker.secret") == "swordfish"
    assert settings.secret(None) is None
    with pytest.raises(ConfigError, match="write it to this file"):
        settings.secret("nowhere")


def test_the_shipped_campus_is_the_small_campus() -> None:
    site = site_of(shipped())
    kinds = [device.kind for device in site.devices.values()]
    assert len(site.buildings()) == 2
    assert [place.kind for place in site.places.values()].count("room") == 24
    assert (kinds.count("meter"), kinds.count("boiler"), kinds.count("shower")) == (25, 1, 8)
    assert all(gateway.url.startswith("tcp://127.0.0.1:") for gateway in site.gateways.values())
    assert load(shipped()).writes is False


def test_every_shipped_point_has_a_label_in_both_languages() -> None:
    for profile in load(shipped()).profiles.values():
        for name, point in profile.points.items():
            assert point.label is not None, f"{profile.id}: {name} has no label"
            assert point.label.zh != point.label.en, f"{profile.id}: {name}"


def test_the_schema_files_are_those_of_the_models() -> None:
    for name, schema in schemas().items():
        file = shipped() / "schema" / f"{name}.json"
        assert json.loads(file.read_text("utf-8")) == schema, f"{file}: print it again"


def test_a_campus_of_five_thousand_devices_is_read_in_seconds(folder: Path) -> None:
    places, devices = ["id,kind"], ["id,profile,place,gateway,unit_id"]
    gateways = "gateways:\n"
    for n in range(5000):
        if n % 200 == 0:
            gateways += f'  - {{id: gw-{n}, url: "tcp://127.0.0.1:{n + 1}"}}\n'
        places.append(f"dorm-07/{n},room")
        devices.append(f"dorm-07/meter-{n},try-meter,dorm-07/{n},gw-{n // 200 * 200},{n % 200 + 1}")
    lines = CAMPUS.splitlines(keepends=True)
    write(folder, "campus.yaml", "".join(lines[:5]) + gateways)
    write(folder, "places.csv", "\n".join(places))
    write(folder, "devices.csv", "\n".join(devices))
    begun = time.process_time()
    site = site_of(folder)
    assert len(site.devices) == 5000
    assert time.process_time() - begun < 5


def test_without_a_checkout_the_packaged_configuration_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hub" / "_config").mkdir(parents=True)
    (tmp_path / "config" / "profiles").mkdir(parents=True)  # somebody else's in site-packages
    monkeypatch.setattr(hub, "__file__", str(tmp_path / "hub" / "__init__.py"))
    assert shipped() == tmp_path.resolve() / "hub" / "_config"


def test_reports_name_rules_that_some_pack_has_and_every_kind_once(folder) -> None:
    text = (shipped() / "reports.yaml").read_text("utf-8")
    (folder / "reports.yaml").write_text(text.replace("- tank-cold", "- tank-cool"), "utf-8")
    with pytest.raises(ConfigError, match=r"there is no rule 'tank-cool'; did you mean 'tank-col"):
        load(folder)
    (folder / "reports.yaml").write_text(text.replace("id: light", "id: socket"), "utf-8")
    with pytest.raises(ConfigError, match=r"the kind 'socket' stands there twice"):
        load(folder)
    (folder / "reports.yaml").write_text("version: 1\n", "utf-8")
    assert load(folder).reports.groups == ()


def test_what_people_open_is_an_address_without_its_last_slash(folder) -> None:
    write(folder, "campus.yaml", CAMPUS + "web: {url: 'https://hub.example.edu/'}\n")
    assert load(folder).web.public_url == "https://hub.example.edu"
