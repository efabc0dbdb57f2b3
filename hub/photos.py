"""Photos that people send: decoded and written anew, so that only the picture is kept.

What is kept is a JPEG made here of the pixels alone: nothing that hides in a file, before, behind
or beside its picture, survives, and neither does where and when it was taken. The one door to
Pillow.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image, ImageOps

from hub.ports import Refused, StoreError, Worker

LARGEST = 8_000_000
"""Bytes of one photo as it is sent."""
LONGEST_SIDE = 1600
QUALITY = 82
# Only a JPEG can be decoded smaller than it is; of the others every pixel is in memory at once.
MOST_PIXELS: Mapping[str, int] = {"JPEG": 50_000_000, "MPO": 50_000_000}
MOST_OTHER_PIXELS = 24_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
_ID = re.compile(r"[0-9a-f]{64}")
Fault = Literal["too-large", "no-picture", "too-many-pixels"]
WORDS: Mapping[Fault, str] = {
    "too-large": "the photo is larger than 8 MB; send a smaller one",
    "no-picture": "the file is no photo that can be read; send a JPEG, PNG or WebP",
    "too-many-pixels": "the photo has too many pixels; take it again with a smaller size",
}


class UnfitError(Refused):
    """A file that is not kept; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(WORDS[fault])
        self.fault = fault


class Photos:
    """The photos of a hub, each called by the SHA-256 of what is kept; one is made at a time.

    Without a folder they are kept in memory.
    """

    def __init__(self, folder: Path | None, worker: Worker) -> None:
        self._folder = folder
        self._worker = worker
        self._in_memory: dict[str, bytes] = {}

    async def keep(self, file: BinaryIO) -> str:
        """Keep the picture in a file and return its id; it is on the disk when this returns.

        UnfitError when it is no photo or too large, StoreError when the disk does not take it.
        """
        return await self._worker.run(lambda: self._kept(written_anew(file)))

    async def read(self, id_: str) -> bytes | None:
        """Return a photo as JPEG; None when there is none of that id."""
        return await self._worker.run(lambda: self._read(id_)) if _ID.fullmatch(id_) else None

    def _kept(self, picture: bytes) -> str:
        id_ = hashlib.sha256(picture).hexdigest()
        if self._folder is None:
            self._in_memory[id_] = picture
            return id_
        try:
            _write(self._folder / f"{id_}.jpg", picture)
        except OSError as error:
            raise StoreError(f"the photo cannot be kept in {self._folder}: {error}") from error
        return id_

    def _read(self, id_: str) -> bytes | None:
        if self._folder is None:
            return self._in_memory.get(id_)
        try:
            return (self._folder / f"{id_}.jpg").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the photo cannot be read from {self._folder}: {error}") from error


def written_anew(file: BinaryIO) -> bytes:
    """Decode a photo and return its pixels as a new JPEG, upright and of at most 1600 px."""
    sent = file.read(LARGEST + 1)
    if len(sent) > LARGEST:
        raise UnfitError("too-large")
    try:
        with Image.open(BytesIO(sent), formats=FORMATS) as image:
            _check_pixels(image)
            return _jpeg(image)
    except UnfitError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnfitError("too-many-pixels") from error
    except Exception as error:  # a decoder fails in as many ways as a file can be broken
        raise UnfitError("no-picture") from error


def _check_pixels(image: Image.Image) -> None:
    """Refuse by the head alone what would fill the memory."""
    most = MOST_PIXELS.get(image.format or "", MOST_OTHER_PIXELS)
    if image.width * image.height > most:
        raise UnfitError("too-many-pixels")


def _jpeg(image: Image.Image) -> bytes:
    size = (LONGEST_SIDE, LONGEST_SIDE)
    image.draft("RGB", size)  # a large JPEG never comes into memory whole
    upright = ImageOps.exif_transpose(image)
    whole = upright if upright.mode == "RGB" else upright.convert("RGBA")
    whole.thumbnail(size)
    # A new image, for the old one carries comments and more into the file it is saved to.
    plain = Image.new("RGB", whole.size, "white")
    plain.paste(whole, mask=whole if whole.mode == "RGBA" else None)
    out = BytesIO()
    plain.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _write(file: Path, content: bytes) -> None:
    """Put a file in its place whole or not at all, on the disk itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=".photo-", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
        _sync(file.parent)
    finally:
        Path(name).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Let the names in a folder be on the disk, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
