"""Labels: a code that only this hub can make, and sheets that a printer takes."""

from __future__ import annotations

import re
import tracemalloc
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hub.cli import run
from hub.labels import DEFAULT_KINDS, Labels, Sheets, Subject, chosen
from hub.labels.qr import LARGEST_VERSION, Drawn
from hub.labels.sheet import TEXT_MM, lines, width_mm
from hub.model import Text
from hub.ports import Refused
from hub.secret import Secret
from hub.site import Device, Place, Site

ADDRESS = "https://hub.example.edu.cn"


def device(id_: str, kind: str, place: str) -> Device:
    return Device(id_, "p", kind, place, timedelta(1), None, None, ())


def site(buildings: int = 1, floors: int = 2, rooms: int = 3) -> Site:
    places = [Place("dorm-1/9", "room", Text("不是房间", "a place called like a device"))]
    devices = []
    for b in range(1, buildings + 1):
        places.append(Place(f"dorm-{b}", "building", Text(f"北苑{b}栋", f"North Garden {b}")))
        for f in range(1, floors + 1):
            places.append(Place(f"dorm-{b}/{f}", "floor", Text(f"{f}层", f"Floor {f}")))
            places += [
                Place(f"dorm-{b}/{f}/{f}{r:02}", "room", Text(f"{f}{r:02}", f"{f}{r:02}"))
                for r in range(rooms, 0, -1)
            ]
            shower = f"dorm-{b}/{f}/shower-{f}"
            places.append(Place(shower, "shower_room", Text(f"{f}层浴室", f"Shower room {f}")))
            devices += [device(f"dorm-{b}/shower-{f}-{n:02}", "shower", shower) for n in (2, 1)]
    devices.append(device("dorm-1/9", "meter", "dorm-1/1"))
    return Site("s", Text("校园", "Campus"), ZoneInfo("Asia/Shanghai"), places, [], devices)


SITE = site()
LABELS = Labels(SITE, Secret("a" * 43))
ROOM = Subject("place", "dorm-1/2/201")


def test_a_label_is_read_back_as_what_it_was_made_for() -> None:
    for subject in chosen(SITE, ("room", "shower", "meter"), None):
        assert LABELS.read(LABELS.of(subject).code) == LABELS.of(subject)
    terminal = LABELS.of(Subject("device", "dorm-1/shower-2-01"))
    assert terminal.place == "dorm-1/2/shower-2"


def test_a_device_and_a_place_of_the_same_id_have_labels_of_their_own() -> None:
    one, two = (LABELS.of(Subject(kind, "dorm-1/9")) for kind in ("place", "device"))
    assert one.code != two.code
    assert LABELS.read(one.code).subject.kind == "place"
    assert LABELS.read(two.code).place == "dorm-1/1"


@pytest.mark.parametrize(
    "forge",
    [
        lambda code: code.replace("201", "202"),  # the mac of another room
        lambda code: code[:-1] + ("a" if code[-1] != "a" else "b"),
        lambda code: code[:-1],
        lambda code: code.partition("~")[0],
        lambda code: code.partition("~")[0] + "~",
        lambda code: code + "a",
        lambda code: code.upper(),
        lambda code: "dorm-1/2/201~" + "\ud800" * 16,
        lambda code: "",
        lambda code: "~",
        lambda code: Labels(SITE, Secret("b" * 43)).of(ROOM).code,  # of another hub
        lambda code: "dorm-1/2/201~" + Secret("a" * 43).tag("label", "dorm-1/2/201")[:16],
    ],
)
def test_a_forged_code_is_none(forge) -> None:
    assert LABELS.read(forge(LABELS.of(ROOM).code)) is None


def test_a_label_of_what_is_gone_from_the_site_is_none() -> None:
    code = LABELS.of(Subject("place", "dorm-1/2/203")).code
    assert Labels(site(rooms=2), Secret("a" * 43)).read(code) is None


def test_codes_stay_small_enough_for_any_phone() -> None:
    code = LABELS.of(ROOM).code
    assert len(code) == len(ROOM.id) + 17
    assert Drawn(f"{ADDRESS}/q/{code}").version <= LARGEST_VERSION
    assert Drawn("https://h/q/" + "x" * 94).version == LARGEST_VERSION
    with pytest.raises(Refused, match=r"shorten web\.url"):
        Drawn("https://h/q/" + "x" * 95)


def test_labels_come_in_the_order_in_which_one_walks() -> None:
    found = [one.id for one in chosen(site(rooms=11), ("room", "shower"), "dorm-1/2")]
    rooms = [f"dorm-1/2/2{r:02}" for r in range(1, 12)]
    assert found == [*rooms, "dorm-1/shower-2-01", "dorm-1/shower-2-02"]
    many = Site(
        "s", SITE.name, SITE.zone, [Place(f"a/{n}", "room", SITE.name) for n in (10, 9)], [], []
    )
    assert [one.id for one in chosen(many, ("room",), None)] == ["a/9", "a/10"]


def test_what_stands_on_a_label_names_the_place_in_both_languages_and_fits() -> None:
    said = lines(SITE, LABELS.of(Subject("device", "dorm-1/shower-2-01")))
    words = [line.text for line in said]
    assert words[2:5] == ["北苑1栋", "2层 2层浴室", "shower-2-01"]
    assert words[5:] == ["North Garden 1", "Floor 2 · Shower room 2", "dorm-1/shower-2-01"]
    drawn = Sheets(SITE, LABELS, ADDRESS)._at(0, Subject("device", "dorm-1/shower-2-01"))
    for size, text in re.findall(r'font-size="([\d.]+)"[^>]*>([^<]*)<', drawn):
        assert width_mm(text, float(size)) <= TEXT_MM + 0.1


def test_a_name_is_written_as_words_whatever_it_holds(tmp_path: Path) -> None:
    evil = Place("a", "room", Text("<script>1</script>", '"><b>&'))
    one = Site("s", Text("</title><script>", "x"), SITE.zone, [evil], [], [])
    sheets = Sheets(one, Labels(one, Secret("a" * 43)), ADDRESS)
    sheets.write_html([Subject("place", "a")], tmp_path / "s.html")
    text = (tmp_path / "s.html").read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;1" in text


def test_a_whole_campus_is_written_sheet_by_sheet(tmp_path: Path, *, full_scale: bool) -> None:
    """At full scale 4,050 rooms, 135 shower rooms and 270 terminals: 213 sheets."""
    big = site(27, 5, 30) if full_scale else site(1, 1, 20)
    sheets = Sheets(big, Labels(big, Secret("a" * 43)), ADDRESS)
    subjects = chosen(big, DEFAULT_KINDS, None)
    if full_scale:
        tracemalloc.start()
    count = sheets.write_html(subjects, tmp_path / "all.html")
    if full_scale:
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
        tracemalloc.stop()
    assert count == -(-len(subjects) // 21)
    assert (tmp_path / "all.html").read_text("utf-8").count("<svg ") == count


CAMPUS = """version: 1
site: {id: s, name: {zh: 校园, en: Campus}, timezone: Asia/Shanghai}
web: {url: "https://hub.example.edu.cn"}
places:
  - {id: dorm-07, kind: building, name: {zh: 北苑7栋, en: North Garden 7}}
"""


def rooms(count: int) -> str:
    return "".join(f"  - {{id: dorm-07/{n}, kind: room}}\n" for n in range(count))


def test_the_command_prints_what_is_asked_for(tmp_path: Path, capsys) -> None:
    (tmp_path / "campus.yaml").write_text(CAMPUS + rooms(22), "utf-8")
    command = ["qr", "sheet", "--config", str(tmp_path), "--out"]
    assert run([*command, str(tmp_path / "all.html")]) == 0
    assert "22 labels on 2 sheets" in capsys.readouterr().out
    assert run([*command, str(tmp_path / "all.svg")]) == 0
    assert sorted(one.name for one in tmp_path.glob("*.svg")) == ["all-1.svg", "all-2.svg"]
    assert run([*command, str(tmp_path / "door.svg"), "--kind", "building"]) == 0
    assert (tmp_path / "door.svg").is_file()
    again = tmp_path / "again.html"
    assert run([*command, str(again)]) == 0
    assert again.read_text("utf-8") == (tmp_path / "all.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--out", "x.pdf"], "FILE.html"),
        (["--out", "x.html", "--place", "dorm-70"], "there is no place 'dorm-70'"),
        (["--out", "x.html", "--kind", "boiler"], "nothing is written"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, capsys, more, said) -> None:
    (tmp_path / "campus.yaml").write_text(CAMPUS + rooms(1), "utf-8")
    assert run(["qr", "sheet", "--config", str(tmp_path), *more]) == 2
    assert said in capsys.readouterr().err
    (tmp_path / "campus.yaml").write_text(CAMPUS.replace("web:", "#") + rooms(1), "utf-8")
    assert run(["qr", "sheet", "--config", str(tmp_path), "--out", "x.html"]) == 2
    assert "web.url" in capsys.readouterr().err
