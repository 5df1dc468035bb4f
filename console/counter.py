"""The counter: one of the staff attests who stands there, another confirms; by their own signed-in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import words
from console.pages import REVIEWERS, field, go, me, page, ports, show, show_again
from models.identity import CounterDocument, CounterRefusal
from services import counter_checks
from services.counter_errors import SiteUnknown
from services.errors import BusinessError
from services.staff import Scope, covers
from services.staff_errors import ChoiceMissing

if TYPE_CHECKING:
    from services.counter_checks import AttestedView
    from services.ports import Ports
    from services.staff import StaffView

DONE: Final = {
    "attested": "已录入，请另一位工作人员复核。",
    "confirmed": "已确认，对方手机上即可办理业务。",
    "refused": "已终止核验，对方手机上会显示原因。",
}


def to_confirm(ports: Ports, staff: StaffView) -> list[AttestedView]:
    """What waits for a second person within their scope, and was not attested by themselves."""
    mine = {site for site, _ in my_sites(ports, staff)}
    return [each for each in counter_checks.list_attested(ports) if each.site in mine and each.attested_by != staff.who]


@page("/counter", roles=REVIEWERS, nav="窗口核验", waiting=lambda ports, staff: len(to_confirm(ports, staff)))
def counter() -> str:
    done = DONE.get(request.args.get("done", ""))
    return show("counter.html", waiting=to_confirm(ports(), me()), done=done)


@page("/counter/attestation", roles=REVIEWERS)
def attest_form() -> str:
    return show("counter_attest.html", **_choices(), given={"code": "", "document": "", "site": ""})


@page("/counter/attestation", roles=REVIEWERS, methods=("POST",))
def attest() -> Any:
    # Name and number are typed again after a refusal: they stand on no page longer than they have to.
    given = {name: field(name) for name in ("code", "document", "site")}
    try:
        if given["site"] not in _my_sites():
            raise SiteUnknown
        if given["document"] not in set(CounterDocument):
            raise ChoiceMissing
        counter_checks.attest(
            ports(),
            code=given["code"],
            name=field("name"),
            id_number=field("id_number"),
            document=CounterDocument(given["document"]),
            site=given["site"],
            who=me().number,
        )
    except BusinessError as fault:
        return show_again("counter_attest.html", fault, **_choices(), given=given)
    return go("counter", done="attested")


@page("/counter/confirmation", roles=REVIEWERS)
def look_form() -> str:
    return show("counter_look.html")


@page("/counter/confirmation", roles=REVIEWERS, methods=("POST",))
def look() -> Any:
    """What the first of the two typed, masked, beside the question."""
    try:
        told = counter_checks.look_at(ports(), code=field("code"), who=me().number, sites=_my_sites())
    except BusinessError as fault:
        return show_again("counter_look.html", fault)
    return show("counter_confirm.html", told=told, code=field("code"), refusals=words.REFUSALS)


@page("/counter/decision", roles=REVIEWERS, methods=("POST",))
def decide() -> Any:
    """Yes by the second of the two, no by either."""
    mine: dict[str, Any] = {"code": field("code"), "who": me().number, "sites": _my_sites()}
    decision = field("decision")
    try:
        if decision == "CONFIRM":
            counter_checks.confirm(ports(), **mine)
            return go("counter", done="confirmed")
        if decision not in {str(each) for each in words.REFUSALS}:
            raise ChoiceMissing
        counter_checks.refuse(ports(), why=CounterRefusal(decision), **mine)
    except BusinessError as fault:
        return show_again("counter_look.html", fault)
    return go("counter", done="refused")


def _my_sites() -> set[str]:
    return {site for site, _ in my_sites(ports(), me())}


def my_sites(ports: Ports, staff: StaffView) -> list[tuple[str, str]]:
    """Code and words of every agency within their scope."""
    return [
        (agency.code, f"{region.name} · {agency.title}")
        for code, region in sorted(ports.rulebook.regions.items())
        for agency in region.agencies.values()
        if covers(ports, staff.scope, Scope(region=code, agency=agency.code))
    ]


def _choices() -> dict[str, Any]:
    return {"sites": my_sites(ports(), me()), "documents": words.DOCUMENTS}
