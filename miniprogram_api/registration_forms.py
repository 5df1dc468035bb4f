"""The registration form of an approved application, as PDF: `wx.downloadFile` and its like fetch it with the token in a header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Response

from miniprogram_api.auth import endpoint, me, ports
from services import registration_forms
from services.errors import (
    ConsentRequired,
    NotAvailableOnline,
    NotFound,
    RealNameRequired,
)
from services.printout_errors import NotApprovedYet, TooManyPrints

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("registration_forms", __name__, tag="Applications")

PDF: Final = "application/pdf"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


@door.get("/applications/<uuid:application_id>/registration-form")
@endpoint(
    door,
    gives=PDF,
    fails=[
        NotFound,
        NotAvailableOnline,
        RealNameRequired,
        NotApprovedYet,
        ConsentRequired,
        TooManyPrints,
    ],
)
def print_registration_form(application_id: uuid.UUID) -> Response:
    """登记表, once the application is approved and the agency's notice was agreed to (`AGENCY_CLIENT`). Unchanged, it is the same file again.

    On it stands a QR code that leads anybody to `/verify`, where it is told whether the form still holds.
    """
    made = registration_forms.print_registration_form(ports(), account=me(), application_id=application_id)
    return Response(made.content, mimetype=PDF, headers={**HEADERS, "Content-Disposition": named(made.title, made.serial)})


def named(title: str, serial: str) -> str:
    """RFC 6266: a name in ASCII, and the real one for whoever understands it. Pure."""
    return (
        f"attachment; filename=\"registration-form-{serial}.pdf\"; filename*=UTF-8''{quote(f'{title}-{serial}.pdf', safe='')}"
    )
