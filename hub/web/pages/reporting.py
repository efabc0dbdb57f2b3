"""A resident's report without an account: where, what, in which words; three short pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from hub.photos import UnfitError
from hub.ports import Refused
from hub.reports.desk import TooManyError
from hub.reports.said import (
    LONGEST_CONTACT,
    LONGEST_WORDS,
    MOST_PHOTOS,
    Said,
    TooLongError,
    cleaned,
)
from hub.site import Device, Place
from hub.web.pages.frame import Frame
from hub.web.pages.sign_in import SEE_OTHER
from hub.web.parts import Parts, parts_of
from hub.web.problem import Problem
from hub.web.session import viewer_or_none

router = APIRouter(include_in_schema=False)
HOME = "/report"
MOST_FIELDS = 12


class Wanted(NamedTuple):
    """Where something is to be reported: a place, and perhaps one device in it."""

    place: Place
    device: Device | None

    @property
    def query(self) -> dict[str, str]:
        """Return it as it stands in an address."""
        device = {"device": self.device.id} if self.device else {}
        return {"place": self.place.id, **device}


class Inner(NamedTuple):
    """A place to choose, and what is in it."""

    place: Place
    rooms: Sequence[Place]


class Written(BaseModel):
    """The fields of the form as they were sent; what is wrong with them is said on the page."""

    token: str = Field("", max_length=100)
    place: str = Field("", max_length=200)
    device: str = Field("", max_length=200)
    kind: str = Field("", max_length=100)
    words: str = ""
    contact: str = ""


def wanted(parts: Parts, place: str, device: str) -> Wanted | None:
    """Return the place and device that an address names; None where one of them is unknown."""
    there = parts.site.places.get(place)
    found = parts.site.devices.get(device)
    if there is None or (device and (found is None or found.place != place)):
        return None
    return Wanted(there, found)


def inside(parts: Parts, place: Place) -> list[Inner]:
    """Return what a place holds: its floors and the like, each with all that is in it."""
    below = [one for one in parts.site.places.values() if one.id.startswith(f"{place.id}/")]
    nearest: dict[str, list[Place]] = {}
    for one in below:
        holding = [two.id for two in parts.site.path(one.id) if two.id.startswith(f"{place.id}/")]
        nearest.setdefault(holding[0], [])
        if holding[0] != one.id:
            nearest[holding[0]].append(one)
    return [Inner(parts.site.places[id_], rooms) for id_, rooms in nearest.items()]


def source_of(request: Request) -> str:
    """Return the address that a request comes from."""
    return request.client.host if request.client else "unknown"


@router.get(HOME)
async def report_page(
    request: Request, place: str = "", device: str = "", kind: str = "", here: bool = False
) -> Response:
    """Ask where, then what, then for words and photos."""
    page = Frame.of(request, await viewer_or_none(request))
    parts = page.parts
    where = wanted(parts, place, device)
    if where is None:
        return page.render("report.html", home=HOME, buildings=parts.site.buildings(), where=None)
    chosen = parts.kinds.kind(kind)
    if chosen is not None:
        fields = Written(token=parts.reports.new_token(), kind=kind, **where.query)
        return _form(page, where, fields)
    rooms = [] if here or where.device else inside(parts, where.place)
    return page.render(
        "report.html", home=HOME, where=where, rooms=rooms, groups=groups(page, where)
    )


def groups(page: Frame, where: Wanted) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what can be reported there: under each heading the id and the words of its kinds."""
    kind = where.device.kind if where.device else None
    return [
        (page.words(heading), [(one.id, page.words(one.name.text())) for one in kinds])
        for heading, kinds in page.parts.kinds.offered(where.place.kind, kind)
    ]


def _form(
    page: Frame, where: Wanted, fields: Written, status: int = 200, error: str = ""
) -> Response:
    kind = page.parts.kinds.kind(fields.kind)
    return page.render(
        "report_form.html",
        status,
        home=HOME,
        where=where,
        kind=page.words(kind.name.text()) if kind else "",
        fields=fields,
        error=error,
        longest=LONGEST_WORDS,
        longest_contact=LONGEST_CONTACT,
        most_photos=MOST_PHOTOS,
    )


@router.post(HOME)
async def send(request: Request) -> Response:
    """Take a report and lead to its own page."""
    # By hand, not by annotation: who sends too many is told before anything is read.
    parts = parts_of(request)
    page = Frame.of(request, await viewer_or_none(request))
    try:
        parts.reports.take_turn(source_of(request))
    except TooManyError as refused:
        raise Problem(429, str(refused), "Wait a little, then send it again.") from refused
    async with request.form(max_files=MOST_PHOTOS + 1, max_fields=MOST_FIELDS) as form:
        fields = _written(form)
        where = wanted(parts, fields.place, fields.device)
        if where is None or parts.kinds.kind(fields.kind) is None:
            raise Problem(422, "The place or the kind is not known.", "Begin again at /report.")
        try:
            await parts.reports.send(await _said(parts, fields, form))
        except TooManyError as refused:
            error = page.t("report-too-many", minutes=-(-refused.wait_s // 60))
            return _form(page, where, fields, 429, error)
        except TooLongError as refused:
            error = page.t("report-too-long", length=refused.length, most=refused.most)
            return _form(page, where, fields, 422, error)
        except UnfitError as refused:
            return _form(page, where, fields, 422, page.t(f"photo-{refused.fault}"))
        except Refused as refused:
            return _form(page, where, fields, 409, page.t("report-refused", reason=str(refused)))
    return RedirectResponse(f"{HOME}/{fields.token}", SEE_OTHER)


def _written(form: FormData) -> Written:
    try:
        return Written.model_validate(
            {name: value for name, value in form.items() if isinstance(value, str)}
        )
    except ValidationError as error:
        raise Problem(
            422, "The form is not that of the page.", "Begin again at /report."
        ) from error


async def _said(parts: Parts, fields: Written, form: FormData) -> Said:
    words = cleaned(fields.words, LONGEST_WORDS)
    contact = cleaned(fields.contact, LONGEST_CONTACT)
    sent = [one for one in form.getlist("photo") if isinstance(one, UploadFile) and one.filename]
    if len(sent) > MOST_PHOTOS:
        raise Refused(f"{len(sent)} photos; send at most {MOST_PHOTOS}")
    photos = [await parts.photos.keep(one.file) for one in sent]
    return Said(
        token=fields.token,
        kind=fields.kind,
        place=fields.place,
        device=fields.device or None,
        words=words,
        contact=contact,
        photos=tuple(photos),
    )
