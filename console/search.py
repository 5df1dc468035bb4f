"""Search from the head of every page: a number of ours or a provider's, or a person by ID number.

What is typed comes by POST and goes nowhere: not into an address, a title, a log or a record, nor back onto the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from console import money_words as told
from console import people_words
from console.money import my_accounts
from console.pages import ACCOUNTANTS, BUSINESS, REVIEWERS, about, field, me, page, ports, show, show_again
from services.desk_search import Found, search
from services.errors import IdNumberMalformed, NotFound
from services.staff import Scope, covers

if TYPE_CHECKING:
    from services.desk_search import Result

LONGEST: Final = 80
NOTHING: Final = "没有查到，或者不在您的管辖范围内。可以填订单编号、商户单号、退款单号、账单编号、办件编号、协议编号、渠道单号，或者参保人的证件号码。"


@page("/search", roles=BUSINESS, methods=("POST",), section="home")
def find() -> Any:
    try:
        results = [each for each in search(ports(), typed=field("typed")[:LONGEST], staff=me()) if _is_mine(each)]
    except IdNumberMalformed as fault:
        return show_again("search.html", fault, results=[], told=told, people=people_words, may=_may())
    if not results:
        return show_again("search.html", NotFound(detail=NOTHING), results=[], told=told, people=people_words, may=_may())
    people = {str(each.person_id) for each in results if each.what == Found.PERSON}
    about(next(iter(people), results[0].number))
    return show("search.html", results=results, told=told, people=people_words, may=_may())


def _may() -> dict[str, bool]:
    return {"money": not ACCOUNTANTS.isdisjoint(me().roles), "reviews": not REVIEWERS.isdisjoint(me().roles)}


def _is_mine(result: Result) -> bool:
    """Of their role and their region. Money is a merchant account's affair, or the person's whose months it paid."""
    may, accounts = _may(), my_accounts()
    in_account = accounts is None or result.merchant_account in accounts
    match result.what:
        case Found.PERSON:
            return True
        case Found.ORDER:
            return result.person_id is not None or (may["money"] and in_account)
        case Found.PAYMENT | Found.REFUND:
            return may["money"] and in_account
        case Found.APPLICATION if not may["reviews"]:
            return False
        case _:
            return result.person_id is not None and _covers(result)


def _covers(result: Result) -> bool:
    mine = me().scope
    return covers(ports(), mine, Scope(region=result.region, agency=result.agency)) or (
        result.agency is None and covers(ports(), Scope(region=mine.region), Scope(region=result.region))
    )
