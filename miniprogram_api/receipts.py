"""The receipt (缴费回单) of an order that was paid, as PDF, for whoever paid it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apiflask import APIBlueprint

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.pdf_files import PDF, pdf_answer
from services import receipts
from services.errors import NotFound
from services.printout_errors import NotPaidYet, TooManyPrints

if TYPE_CHECKING:
    from flask import Response

door = APIBlueprint("receipts", __name__, tag="Payment orders")


@door.get("/payment-orders/<string(length=24):order_no>/receipt")
@endpoint(door, gives=PDF, fails=[NotFound, NotPaidYet, TooManyPrints])
def print_receipt(order_no: str) -> Response:
    """缴费回单, once the order is paid: no 完税证明. Unchanged, it is the same file again; a month that moved on makes a new version.

    On it stands a QR code that leads anybody to `/verify`, where it is told whether the receipt still holds.
    """
    return pdf_answer(receipts.print_receipt(ports(), account=me(), order_no=order_no), name="receipt")
