"""Sheets as answers: CSV as it is made, the other forms from a file that is gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from hub.sheet import MEDIA_TYPES, Format, Sheet, write
from hub.sheet.csv_file import csv_text
from hub.web.parts import Parts


async def file_answer(
    parts: Parts, sheet: Sheet, form: Format, name: str, language: str
) -> Response:
    """Return a sheet as a download; made in a thread of its own, so that charts go on."""
    if form == "csv":
        head = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        pieces = _pieces(parts, sheet, language)
        return StreamingResponse(pieces, media_type=MEDIA_TYPES[form], headers=head)
    folder = Path(tempfile.mkdtemp(prefix="campus-hub-"))
    file = folder / f"{name}.{form}"
    try:
        await parts.file_worker.run(lambda: write(sheet, form, file, language))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    away = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(file, media_type=MEDIA_TYPES[form], filename=file.name, background=away)


async def _pieces(parts: Parts, sheet: Sheet, language: str) -> AsyncIterator[bytes]:
    text = csv_text(sheet, language)
    while (piece := await parts.file_worker.run(lambda: next(text, None))) is not None:
        yield piece.encode()
