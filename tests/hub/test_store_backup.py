"""Backup, wipe, restore: everything is there again, and a damaged file is found out."""

import asyncio
import contextlib
import json
import shutil
import socket
import tarfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hub import archive
from hub.cli import run
from hub.clock import RealClock
from hub.database import effects
from hub.kept import Kept, back_up, open_kept
from hub.model import Batch, Entry, EntryKind
from hub.ports import Refused
from hub.secret import kept_secret
from hub.settings import Settings, load, shipped
from hub.whole import Hub
from tests.ports import free_ports
from tests.whole.asking import hub_of
from tests.whole.program import signed_in
from tests.whole.site import write_site

T0 = 1_800_000_000_000
EVER = (T0 - 10**10, T0 + 10**10)


async def with_kept(settings: Settings, do: Callable[[Kept], Any]) -> Any:
    async with AsyncExitStack() as stack:
        return do(open_kept(settings, RealClock(), stack, memory=False))


def filled(kept: Kept) -> None:
    numbers = np.array(sorted(kept.site.points)[:50], np.int32)
    for n in range(30):
        at_ms = np.full(50, T0 + n * 300_000, np.int64)
        value = numbers + n / 7
        said = Batch(numbers, at_ms, value, np.zeros(50, np.uint8), T0)
        seq = kept.journal.append([Entry(EntryKind.READINGS, T0, said)])
        kept.store.append(said, seq)
    kept.journal.append([Entry(EntryKind.TICK, T0)])
    effects.apply(kept.database, seq, [])


def told(kept: Kept) -> dict[str, Any]:
    points = sorted(kept.site.points)
    found = kept.store.raw(points, *EVER)
    return {
        "applied": (kept.store.applied(), effects.applied(kept.database), kept.journal.last()),
        "raw": (found.point.tolist(), found.at_ms.tolist(), found.value.tolist()),
        "sums": kept.store.rollups(points, *EVER).sum.tolist(),
        "last": kept.store.last().value.tolist(),
        "points": dict(kept.site.numbers),
        "entries": len(kept.journal.read(0)),
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Make one site with data and its backup, for all tests; return its folder and its data."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(shipped() / "campus.yaml", folder)
    settings = load(folder)
    asyncio.run(with_kept(settings, filled))
    before = asyncio.run(with_kept(settings, told))
    assert command("backup", folder / "hub.backup", "--config", folder) == 0
    return folder, before


@pytest.fixture
def site(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    shutil.copytree(made[0], tmp_path / "site")
    return tmp_path / "site", made[1]


def command(*words: object) -> int:
    return run([str(word) for word in words])


def test_after_a_wipe_a_restore_brings_everything_back(
    site: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, before = site
    file = tmp_path / "hub.backup"
    assert command("backup", file, "--config", folder) == 0
    assert "journal to entry 31, 1500 readings, 150 roll-ups" in capsys.readouterr().out
    shutil.rmtree(load(folder).data)
    assert command("restore", file, "--verify", "--config", folder) == 0
    assert capsys.readouterr().out.rstrip().endswith("verified")
    assert asyncio.run(with_kept(load(folder), told)) == before


def test_only_the_data_itself_is_in_a_backup_and_what_was_worked_out_before_goes(
    site: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, before = site
    data, file = load(folder).data, tmp_path / "hub.backup"
    (data / "reserve").write_bytes(bytes(1000))
    (data / archive.DERIVED).mkdir()
    (data / archive.DERIVED / "2027-01.npz").write_bytes(b"of before")
    photo = f"{archive.PHOTOS}/{'ab' * 32}.jpg"
    (data / archive.PHOTOS).mkdir()
    (data / photo).write_bytes(b"a picture")
    (data / archive.PHOTOS / ".photo-half").write_bytes(b"half a picture")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(load(folder).socket_file))
        assert command("backup", file, "--config", folder) == 0
        with tarfile.open(file) as one:
            assert set(one.getnames()) == {*archive.NAMES, archive.CONTENTS, photo}
    signing = kept_secret(data / archive.SIGNING, RealClock()).key("labels")
    for name in (*archive.NAMES, photo):
        (data / name).unlink()
    assert command("restore", file, "--verify", "--config", folder) == 0
    assert capsys.readouterr().out.rstrip().endswith("verified")
    assert (data / photo).read_bytes() == b"a picture"
    assert not (data / archive.DERIVED).exists(), "days of before stand beside restored readings"
    assert kept_secret(data / archive.SIGNING, RealClock()).key("labels") == signing
    assert asyncio.run(with_kept(load(folder), told)) == before


@pytest.mark.parametrize("log", [f"{archive.JOURNAL}-wal", f"{archive.READINGS}.wal"])
def test_a_log_of_before_is_not_played_into_restored_data(
    site: tuple[Path, dict[str, Any]], log: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = site
    shutil.rmtree(load(folder).data)
    load(folder).data.mkdir()
    (load(folder).data / log).write_bytes(b"of before")
    assert command("restore", folder / "hub.backup", "--config", folder) == 2
    assert f"has {log} already; move it aside first" in capsys.readouterr().err


def test_without_room_for_its_copies_a_backup_is_refused_and_leaves_nothing(
    site: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = site
    settings = load(folder)

    def back_up_on(full: bool, free: int) -> Callable[[Kept], None]:
        def do(kept: Kept) -> None:
            kept.room._free_of = lambda _: free
            kept.room.full = full
            back_up(settings, kept, RealClock(), tmp_path / "hub.backup")

        return do

    for full, free in ((True, 10**9), (False, 1000)):
        with pytest.raises(Refused, match="make room first"):
            asyncio.run(with_kept(settings, back_up_on(full, free)))
    assert not (tmp_path / "hub.backup").exists()
    assert [one.name for one in settings.data.iterdir() if "backup" in one.name] == []


def test_data_that_is_there_is_never_overwritten(
    site: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, before = site
    assert command("restore", folder / "hub.backup", "--config", folder) == 2
    assert "move it aside first" in capsys.readouterr().err
    assert asyncio.run(with_kept(load(folder), told)) == before


def altered(file: Path, name: str, change: Callable[[Path], object]) -> None:
    """Write a backup again with one of its files changed."""
    folder = file.with_suffix(".parts")
    folder.mkdir()
    with tarfile.open(file) as one:
        one.extractall(folder)  # noqa: S202 - the test wrote it itself
        names = one.getnames()
    change(folder / name)
    with tarfile.open(file, "w") as one:
        for each in names:
            one.add(folder / each, each)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def say_more(file: Path) -> None:
    said = json.loads(file.read_text())
    said["facts"]["rows"]["telemetry.readings"] += 1
    file.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("name", "change", "code", "complaint"),
    [
        (archive.READINGS, flip, 2, "the check sums do not hold"),
        (archive.JOURNAL, flip, 2, "the check sums do not hold"),
        (archive.CONTENTS, say_more, 1, "1500 rows, the backup says 1501"),
        (archive.CONTENTS, lambda file: file.write_text("{}"), 2, "is no whole backup"),
    ],
)
def test_a_backup_that_is_not_the_one_once_written_is_refused(
    site: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str],
    name: str, change: Callable[[Path], object], code: int, complaint: str,
) -> None:  # fmt: skip
    folder, _ = site
    file = folder / "hub.backup"
    altered(file, name, change)
    shutil.rmtree(load(folder).data)
    assert command("restore", file, "--verify", "--config", folder) == code
    assert complaint in capsys.readouterr().err
    left = {path.name for path in load(folder).data.iterdir()}
    assert left == {"lock"}


def test_a_backup_cut_short_is_refused(
    site: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = site
    file = folder / "hub.backup"
    file.write_bytes(file.read_bytes()[:-20_000])
    shutil.rmtree(load(folder).data)
    assert command("restore", file, "--config", folder) == 2
    assert "is no whole backup" in capsys.readouterr().err


def test_a_backup_that_is_not_there_is_called_so(
    site: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = site
    assert command("restore", folder / "else.backup", "--verify", "--config", folder) == 2
    assert "else.backup: there is no such file; name one" in capsys.readouterr().err


async def test_beside_a_running_hub_the_hub_writes_the_backup_and_nobody_gets_it_over_the_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_site(tmp_path / "site", web={"port": free_ports(1)[0]})
    file = tmp_path / "hub.backup"
    async with hub_of(empty) as hub:
        assert await asyncio.to_thread(command, "backup", file, "--config", empty) == 0
        assert await asyncio.to_thread(_over_the_network, hub) == 404
    shutil.rmtree(load(empty).data)
    assert command("restore", file, "--verify", "--config", empty) == 0
    assert "verified" in capsys.readouterr().out


def _over_the_network(hub: Hub) -> int:
    with signed_in(hub.address, hub.one_time_password) as http:
        return http.get("/api/v1/backup").status_code


def test_cursors_ahead_of_the_journal_or_before_its_beginning_do_not_fit() -> None:
    fits = archive.Facts({}, 5, 9, {"the store": 4, "the engine": 9})
    assert fits.problems() == []
    wrong = archive.Facts({}, 5, 9, {"the store": 3, "the engine": 10})
    assert wrong.problems() == [
        "the engine is at entry 10, the journal ends at 9",
        "the store is at entry 3, the journal begins at 5 only",
    ]
