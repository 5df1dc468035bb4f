"""The registration form of an approved application, as PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiflask import APIBlueprint

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.pdf_files import PDF, pdf_answer
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

    from flask import Response

door = APIBlueprint("registration_forms", __name__, tag="Applications")


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
    return pdf_answer(made, name="registration-form")
