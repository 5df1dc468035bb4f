"""窗口缴费: somebody stands at the window with their paper; the months they tick become an order for the terminal."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import words
from console.counter import my_sites
from console.pages import REVIEWERS, field, go, me, page, ports, show, show_again
from models.identity import CounterDocument
from services import counter_orders as service
from services.counter_errors import SiteUnknown
from services.errors import BusinessError
from services.staff import Scope, covers
from services.staff_errors import ChoiceMissing, FormExpired

if TYPE_CHECKING:
    from services.counter_orders import CounterOrderView
    from services.ports import Ports
    from services.staff import StaffView

DONE: Final = {"withdrawn": "已撤销，所选月份可以重新缴费。"}


def scope_of_order(ports: Ports, payment_no: str) -> Scope:
    """Raises NotFound."""
    view = service.read_counter_order(ports, payment_no=payment_no)
    return Scope(region=view.region, agency=view.site)


def orders_here(ports: Ports, staff: StaffView) -> list[CounterOrderView]:
    """Those of the last day within their scope."""
    return [
        each
        for each in service.list_counter_orders(ports)
        if covers(ports, staff.scope, Scope(region=each.region, agency=each.site))
    ]


@page(
    "/counter-orders",
    roles=REVIEWERS,
    nav="窗口缴费",
    waiting=lambda ports, staff: sum(each.is_live for each in orders_here(ports, staff)),
)
def counter_orders() -> str:
    return show(
        "counter_orders.html",
        orders=orders_here(ports(), me()),
        done=DONE.get(request.args.get("done", "")),
        given={"document": "", "site": ""},
        **_choices(),
    )


@page("/counter-orders/bills", roles=REVIEWERS, methods=("POST",), section="counter_orders")
def look_for_bills() -> Any:
    """What the person may pay. Name and number are typed again after a refusal: they stand on no page longer than they have to."""
    try:
        site, document = _site(), _document()
        found = service.look_for(
            ports(),
            site=site,
            name=field("name"),
            id_number=field("id_number"),
            document=document,
            by=me().number,
        )
    except BusinessError as fault:
        return _list_again(fault)
    return show("counter_order_bills.html", found=found, site=site, document=document)


@page("/counter-orders", roles=REVIEWERS, methods=("POST",), section="counter_orders")
def make_counter_order() -> Any:
    ticked = tuple(dict.fromkeys(each[:40] for each in request.form.getlist("bill")))
    try:
        if not ticked:
            raise ChoiceMissing
        new = service.NewCounterOrder(
            site=_site(),
            document=_document(),
            person_id=_uuid(field("person")),
            bill_nos=ticked,
            expected_amount_fen=sum(_fen(field(f"fen-{number}")) for number in ticked),
        )
        made = service.make_counter_order(ports(), new=new, by=me().number)
    except BusinessError as fault:
        return _list_again(fault)
    return go("read_counter_order", payment_no=made.payment_no)


@page("/counter-orders/<payment_no>", roles=REVIEWERS, scope=scope_of_order, section="counter_orders")
def read_counter_order(payment_no: str) -> str:
    return show("counter_order.html", order=service.read_counter_order(ports(), payment_no=payment_no))


@page(
    "/counter-orders/<payment_no>/question", roles=REVIEWERS, scope=scope_of_order, methods=("POST",), section="counter_orders"
)
def ask_about_counter_order(payment_no: str) -> Any:
    """Has the card been taken? Asked at UnionPay, at most once in three seconds."""
    service.ask_about_counter_order(ports(), payment_no=payment_no)
    return go("read_counter_order", payment_no=payment_no)


@page(
    "/counter-orders/<payment_no>/withdrawal",
    roles=REVIEWERS,
    scope=scope_of_order,
    methods=("POST",),
    section="counter_orders",
)
def withdraw_counter_order(payment_no: str) -> Any:
    try:
        view = service.withdraw_counter_order(ports(), payment_no=payment_no)
    except BusinessError as fault:
        order = service.read_counter_order(ports(), payment_no=payment_no)
        return show_again("counter_order.html", fault, order=order)
    if view.state != "CLOSED":
        return go("read_counter_order", payment_no=payment_no)
    return go("counter_orders", done="withdrawn")


def _list_again(fault: BusinessError) -> Any:
    given = {"document": field("document"), "site": field("site")}
    return show_again("counter_orders.html", fault, orders=orders_here(ports(), me()), done=None, given=given, **_choices())


def _choices() -> dict[str, Any]:
    return {"sites": my_sites(ports(), me()), "documents": words.DOCUMENTS}


def _site() -> str:
    """Raises SiteUnknown."""
    if field("site") not in {site for site, _ in my_sites(ports(), me())}:
        raise SiteUnknown
    return field("site")


def _document() -> CounterDocument:
    """Raises ChoiceMissing."""
    if field("document") not in set(CounterDocument):
        raise ChoiceMissing
    return CounterDocument(field("document"))


def _uuid(given: str) -> uuid.UUID:
    """Raises FormExpired: our own page sent another one."""
    try:
        return uuid.UUID(given)
    except ValueError:
        raise FormExpired from None


def _fen(given: str) -> int:
    """Raises FormExpired."""
    if not given.isascii() or not given.isdigit() or len(given) > 12:  # noqa: PLR2004 - more than all the money there is
        raise FormExpired
    return int(given)
