"""Photos: what is kept is a picture made here, whatever was sent."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from hub.clock import InlineWorker
from hub.photos import LARGEST, LONGEST_SIDE, Photos, UnfitError, written_anew
from hub.ports import StoreError

RED, GREEN = (200, 30, 30), (30, 160, 40)


def picture(size=(80, 40), form="JPEG", mode="RGB", **more) -> bytes:
    """Left half red, right half green."""
    image = Image.new("RGB", size, RED)
    image.paste(GREEN, (size[0] // 2, 0, *size))
    out = BytesIO()
    image.convert(mode).save(out, form, **more)
    return out.getvalue()


def anew(sent: bytes) -> Image.Image:
    made = Image.open(BytesIO(written_anew(BytesIO(sent))))
    assert made.format == "JPEG"
    assert made.mode == "RGB"
    return made


def near(one, other) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("form", "mode"),
    [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "1"),
     ("WEBP", "RGB")],
)  # fmt: skip
def test_every_form_of_photo_becomes_a_jpeg(form, mode) -> None:
    made = anew(picture(form=form, mode=mode))
    assert made.size == (80, 40)
    if mode not in ("P", "L", "1"):
        assert near(made.getpixel((10, 20)), RED)
        assert near(made.getpixel((70, 20)), GREEN)


def test_a_large_photo_is_made_smaller_and_keeps_its_shape() -> None:
    assert anew(picture((4000, 1000))).size == (LONGEST_SIDE, LONGEST_SIDE // 4)
    assert anew(picture((2000, 3200), "PNG")).size == (1000, LONGEST_SIDE)


def test_where_and_when_it_was_taken_is_dropped_and_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "Maker-of-the-phone"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (30.0, 30.0, 30.0)
    profile = b"a colour profile that names its owner"
    sent = picture(exif=exif, comment=b"my secret comment", icc_profile=profile)
    for word in (b"Maker-of-the-phone", b"my secret comment", profile):
        assert word in sent
    made = anew(sent)
    assert made.size == (40, 80)
    assert near(made.getpixel((20, 10)), RED)
    assert not made.getexif()
    kept = written_anew(BytesIO(sent))
    for word in (b"Exif", b"Maker", b"secret comment", b"owner"):
        assert word not in kept


def test_text_inside_a_png_is_dropped() -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("GPS", "30.5N 114.3E <script>")
    assert b"script" not in written_anew(BytesIO(picture(form="PNG", pnginfo=text)))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_file_that_is_two_things_at_once_leaves_only_its_picture(form) -> None:
    hidden = b"<script>alert(1)</script>PK\x03\x04 %PDF-1.7 <?php system($_GET[0]) ?>"
    kept = written_anew(BytesIO(picture(form=form) + hidden))
    assert b"script" not in kept
    assert b"PK\x03\x04" not in kept
    assert kept[:3] == b"\xff\xd8\xff"
    assert kept[-2:] == b"\xff\xd9"


def chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def bomb(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and a few bytes that unpack to megabytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(20_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 9_500), (5_000, 5_000)])
def test_a_bomb_is_refused_by_what_its_head_says(size) -> None:
    with pytest.raises(UnfitError) as refused:
        written_anew(BytesIO(bomb(*size)))
    assert refused.value.fault == "too-many-pixels"


def test_text_that_unpacks_to_megabytes_is_refused() -> None:
    sent = picture(form="PNG")
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))
    with pytest.raises(UnfitError):
        written_anew(BytesIO(sent[:33] + text + sent[33:]))


class Endless(BytesIO):
    """A file of 100 MB that says how much of it was read."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        assert size >= 0, "all of it was asked for"
        return bytes(size)


def test_of_a_file_of_100_mb_no_more_is_read_than_may_be_kept() -> None:
    file = Endless()
    with pytest.raises(UnfitError) as refused:
        written_anew(file)
    assert refused.value.fault == "too-large"
    assert file.taken == LARGEST + 1


@pytest.mark.parametrize(
    "sent",
    [b"", b"no picture", b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
     b"GIF89a" + bytes(99), b"\xff\xd8\xff", picture()[:400],
     picture(form="PNG")[:60], picture(form="WEBP")[:40],
     picture(form="GIF"), picture(form="BMP"), picture(form="TIFF"), bytes(LARGEST)],
)  # fmt: skip
def test_what_is_no_photo_is_refused_with_words(sent) -> None:
    with pytest.raises(UnfitError, match="no photo that can be read") as refused:
        written_anew(BytesIO(sent))
    assert refused.value.fault == "no-picture"


async def test_a_photo_is_kept_once_under_its_sum_for_its_owner_only(tmp_path: Path) -> None:
    photos = Photos(tmp_path / "photos", InlineWorker())
    id_ = await photos.keep(BytesIO(picture()))
    assert await photos.keep(BytesIO(picture())) == id_
    files = list((tmp_path / "photos").iterdir())
    assert [one.name for one in files] == [f"{id_}.jpg"]
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert await photos.read(id_) == files[0].read_bytes()


@pytest.mark.parametrize("folder", [True, False])
async def test_nothing_but_a_photo_is_ever_read(tmp_path: Path, folder) -> None:
    (tmp_path / "secret.jpg").write_text("x")
    photos = Photos(tmp_path / "photos" if folder else None, InlineWorker())
    assert await photos.read(await photos.keep(BytesIO(picture()))) is not None
    for id_ in ("../secret", "0" * 64, "", "A" * 64, "0" * 63 + "\n", "/etc/passwd"):
        assert await photos.read(id_) is None


async def test_a_disk_that_does_not_take_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot be kept"):
        await Photos(tmp_path / "photos", InlineWorker()).keep(BytesIO(picture()))


async def test_a_photo_is_on_the_disk_before_it_is_acknowledged(tmp_path, monkeypatch) -> None:
    order = []
    real = __import__("os").fsync
    monkeypatch.setattr("os.fsync", lambda fd: (order.append("synced"), real(fd)))
    await Photos(tmp_path, InlineWorker()).keep(BytesIO(picture()))
    assert order == ["synced", "synced"]  # the file, then its name in the folder
