"""Explain: everything that one payment ever did, in time order, each row with a link to where it stands."""

from __future__ import annotations

from typing import Any

from console import money_words as told
from console.money import asked, require_account
from console.pages import ACCOUNTANTS, about, me, page, ports, show, show_again
from services import journal, person_story
from services.errors import NotFound


@page("/explain", roles=ACCOUNTANTS, nav="查一笔钱")
def explain() -> Any:
    number = asked("no")
    if not number:
        return show("explain.html", number="", payment=None, events=[], told=told, rulebook=ports().rulebook)
    try:
        with ports().begin() as session:
            payment_no, merchant_account = journal.find_payment(session, number=number)
    except NotFound:
        refusal = NotFound(detail="没有这个单号，请核对后再试；可以填商户单号、订单编号或渠道单号。")
        return show_again("explain.html", refusal, number=number, payment=None, events=[], told=told, rulebook=ports().rulebook)
    require_account(merchant_account)
    about(payment_no)
    with ports().begin() as session:
        events = journal.explain(session, payment_no=payment_no)
    payment = next(each.facts for each in events if each.table == "payments")
    insured = person_story.person_of_payment(ports(), payment_no=payment_no, staff=me())
    return show(
        "explain.html", number=number, payment=payment, events=events, insured=insured, told=told, rulebook=ports().rulebook
    )
