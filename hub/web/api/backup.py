"""A backup of all data, for the account that the hub runs under; nobody gets it over the network.

It holds what no role may see as a whole: who may sign in, and what everybody did.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.background import BackgroundTask

from hub.web.parts import parts_of
from hub.web.problem import Problem
from hub.web.session import LOCAL

router = APIRouter(prefix="/api/v1", tags=["backup"])


@router.get("/backup", include_in_schema=False)
async def backup(request: Request) -> Response:
    """Return a backup; the hub goes on meanwhile."""
    save = parts_of(request).save
    if request.scope.get(LOCAL) is not True or save is None:
        raise Problem(404, "There is nothing here.", "Use campus-hub backup on the hub's machine.")
    folder = Path(tempfile.mkdtemp(prefix="campus-hub-"))
    try:
        await save(folder / "backup")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    away = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(folder / "backup", background=away)
