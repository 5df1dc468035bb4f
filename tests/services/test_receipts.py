"""The receipt: of one's own paid order alone, never more than what happened, the same paper while nothing changed, and void once refunded."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pypdf
import pytest
from sqlalchemy import text

from config.rulebook import Rulebook
from models.bills import BillState
from models.refunds import RefundReason, RefundState
from providers.protocols import NewsKind
from services import receipt_standing
from services.amount_words import in_figures, in_words
from services.errors import NotFound
from services.orders import cancel_order
from services.own_data import own_data
from services.printout_checks import verify_printout
from services.printout_errors import NotPaidYet, TooManyPrints
from services.printouts import Fact, Standing
from services.receipts import RECEIPTS_A_DAY, print_receipt
from services.refunds import advance_refund
from tests.factories import ALIPAY, XINJIANG
from tests.services.test_refunds import WHY, an_approved_one, becomes, bill_nos, confirm
from tests.services.test_registration_forms import code_on, own_number
from tests.together import at_once

MARK = "社会保险费缴费回单　"
WAITS = "支付成功，等待税务入库"


def paid(world, *months, region="320400", miniprogram="jiangsu-tax-wechat"):
    """An account, and the order that it paid."""
    account, order = world.order(*months, region=region, miniprogram=miniprogram)
    pay(world, order, miniprogram=miniprogram)
    return account, order


def pay(world, order, *, miniprogram="jiangsu-tax-wechat"):
    world.hear(world.paid_news(order, notice=order.payment_no), miniprogram=miniprogram)
    world.settle()


def printed(world, account, order):
    return print_receipt(world.ports, account=account, order_no=order.order_no)


def words(pdf: bytes) -> str:
    """What stands on it, without the mark and without line breaks."""
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    lines = [line for page in pages for line in page.splitlines() if MARK not in line]
    return "".join(line.strip() for line in lines)


def asked(world, pdf: bytes):
    return verify_printout(world.ports, code=code_on(pdf), caller="114.114.114.9")


def standing(world, pdf: bytes) -> str:
    return asked(world, pdf).standing


def versions(world):
    return world.rows("SELECT version, replaced_at IS NOT NULL FROM printouts WHERE kind = 'RECEIPT' ORDER BY version")


# What stands on it.


def test_it_says_who_paid_when_and_how_each_month_and_the_sum_in_figures_and_words(world):
    account, order = paid(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)

    pdf = printed(world, account, order)
    said = words(pdf.content)

    for each in (
        "社会保险费缴费回单", "张**", "2026-11-21 10:00:00", "微信支付", order.order_no, order.payment_no, f"P{order.payment_no}",
        "新疆维吾尔自治区", "国家税务总局新疆维吾尔自治区税务局", "2026年10月", "2026年11月", "企业职工基本养老保险", "月缴费", WAITS,
        in_figures(order.total_fen), f"人民币{in_words(order.total_fen)}", "已退金额无", pdf.serial, "第1版",
    ):  # fmt: skip
        assert each in said, each
    assert re.fullmatch(r"650000-20261121-[0-9A-HJKMNP-TV-Z]{10}", pdf.serial)


def test_it_is_plainly_no_tax_certificate_and_promises_no_contribution(world):
    said = words(printed(world, *paid(world)).content)

    assert said.index("本回单不是税收完税证明") < said.index("付款人"), "above everything else"
    assert "支付成功不等于缴费成功" in said
    assert "缴费成功（" not in said


def test_sample_figures_make_a_sample_receipt(world):
    pdf = printed(world, *paid(world)).content
    with world.ports.begin() as session:
        samples = session.scalar(text("SELECT count(*) FROM contribution_bills WHERE sample"))

    assert samples == 1
    assert "示例金额" in words(pdf)
    assert f"示例　{MARK}" in pypdf.PdfReader(io.BytesIO(pdf)).pages[0].extract_text()


def test_whoever_pays_for_another_stands_there_beside_them_and_both_are_masked(world):
    person = world.person(name="李四光")
    bills = world.bills(world.enrollment(person))
    payer, entry = world.payer_for(person)
    order = world.order_for(payer, entry, bills)
    pay(world, order)

    pdf = printed(world, payer, order)
    said = words(pdf.content)

    assert "付款人张**" in said
    assert "参保人李**" in said
    for secret in ("李四光", "张三丰", own_number(world, payer)):
        assert secret not in said
    assert [each.value for each in asked(world, pdf.content).facts][:2] == ["张**", "李**"]


def test_no_seal_of_a_person_is_opened_to_print_or_to_verify_it(world):
    account, order = paid(world)
    before = world.scalar("SELECT count(*) FROM personal_data_accesses")

    asked(world, printed(world, account, order).content)

    assert world.scalar("SELECT count(*) FROM personal_data_accesses") == before


def test_nothing_personal_stands_in_the_table_or_in_the_properties_of_the_file(world):
    account, order = paid(world)
    pdf = printed(world, account, order)

    (row,) = world.rows("SELECT row_to_json(printouts)::text FROM printouts")
    reader = pypdf.PdfReader(io.BytesIO(pdf.content))

    for secret in ("张", own_number(world, account), order.order_no, order.payment_no):
        assert secret not in row[0]
        assert secret not in str(dict(reader.metadata))


@pytest.mark.parametrize(("channel", "miniprogram"), [("alipay", ALIPAY), ("wechat_pay", "jiangsu-tax-wechat")])
def test_every_channel_that_a_phone_pays_by_has_its_name(world, channel, miniprogram):
    account, order = paid(world, miniprogram=miniprogram)

    assert order.channel == channel
    assert receipt_standing.CHANNELS[channel] in words(printed(world, account, order).content)


def test_every_state_that_a_paid_month_comes_to_has_its_words():
    before_it_is_paid = {BillState.UNPAID, BillState.LOCKED}

    assert set(receipt_standing.STATES) == set(BillState) - before_it_is_paid


# Who may, and when.


def test_before_the_money_came_there_is_none_and_it_says_where_the_order_stands(world):
    account, order = world.order()

    with pytest.raises(NotPaidYet, match="NOT_PAID_YET") as refusal:
        printed(world, account, order)

    assert "待支付" in refusal.value.said
    assert world.scalar("SELECT count(*) FROM receipt_fetches") == 0
    cancel_order(world.ports, account=account, order_no=order.order_no)
    with pytest.raises(NotPaidYet) as refusal:
        printed(world, account, order)
    assert "已关闭" in refusal.value.said
    assert versions(world) == []


def test_money_that_settled_no_month_has_no_receipt_and_is_said_to_go_back(world):
    account, order = world.order()
    world.hear(replace(world.paid_news(order), amount_fen=order.total_fen + 1))
    world.settle()
    assert world.read_payment(order.payment_no).state == "SURPLUS"

    with pytest.raises(NotPaidYet) as refusal:
        printed(world, account, order)

    assert "按原路退回" in refusal.value.said


def test_money_that_came_after_the_order_was_closed_has_its_receipt(world):
    account, order = world.order()
    cancel_order(world.ports, account=account, order_no=order.order_no)
    pay(world, order)

    assert printed(world, account, order).content.startswith(b"%PDF-")


def test_nobody_else_fetches_it_not_even_the_insured_person_or_the_payer_from_another_account(world):
    person = world.person()
    bills = world.bills(world.enrollment(person))
    payer, entry = world.payer_for(person)
    order = world.order_for(payer, entry, bills)
    pay(world, order)
    with world.ports.begin() as session:
        holder = session.get_one(type(person), payer.person_id)
        session.expunge(holder)

    for other in (world.account(person), world.account(holder, miniprogram=ALIPAY), world.account()):
        with pytest.raises(NotFound):
            printed(world, other, order)

    assert versions(world) == []


def test_an_order_that_never_was_sounds_like_somebody_elses(world):
    account, order = paid(world)

    with pytest.raises(NotFound) as nothing:
        print_receipt(world.ports, account=account, order_no="0" * 24)
    with pytest.raises(NotFound) as theirs:
        printed(world, world.account(), order)

    assert nothing.value.said == theirs.value.said


def test_a_payer_who_is_verified_no_longer_still_gets_what_they_are_owed(world):
    account, order = paid(world)
    with world.ports.begin() as session:
        session.get_one(type(account), account.id).person_id = None

    assert receipt_standing.NAMELESS in words(printed(world, account, order).content)


# The same paper, and another one.


def test_fetched_again_it_is_the_same_file_byte_for_byte(world, clock):
    account, order = paid(world)
    first = printed(world, account, order)
    clock.move(days=30)

    assert printed(world, account, order) == first
    assert versions(world) == [(1, False)]


@pytest.mark.parametrize(("to", "says"), [("TAX_CONFIRMED", "税务已入库"), ("POSTED", "社保已记账")])
def test_a_month_that_moved_on_makes_a_new_version_and_until_then_the_page_tells_it(world, to, says):
    account, order = paid(world)
    first = printed(world, account, order)
    confirm(world, *bill_nos(world, order), to=to)

    told = asked(world, first.content)
    assert told.standing is Standing.VALID
    assert says in told.facts[-1].value
    second = printed(world, account, order)

    assert says in words(second.content)
    assert WAITS not in words(second.content)
    assert second.serial != first.serial
    assert standing(world, first.content) == "REPLACED"
    assert standing(world, second.content) == "VALID"
    assert versions(world) == [(1, True), (2, False)]


def test_money_on_its_way_back_is_told_and_the_receipt_still_stands(world):
    account, order = paid(world)
    an_approved_one(world, order)

    pdf = printed(world, account, order).content

    assert "退费办理中" in words(pdf)
    assert standing(world, pdf) == "VALID"


def test_one_month_that_went_back_leaves_the_rest_and_says_how_much(world):
    account, order = paid(world, "2026-10", "2026-11", region="650000", miniprogram=XINJIANG)
    first = printed(world, account, order).content
    october, _ = bill_nos(world, order)
    fen = world.scalar("SELECT amount_fen FROM contribution_bills WHERE bill_no = :no", no=october)
    becomes(world, an_approved_one(world, order, october), NewsKind.REFUNDED)

    told = asked(world, first)
    assert told.standing is Standing.PARTLY_REFUNDED
    assert Fact(label="已退金额", value=in_figures(fen)) in told.facts
    second = printed(world, account, order).content

    assert f"已退金额{in_figures(fen)}" in words(second)
    assert "部分退款" in words(second)
    assert "已退费" in words(second)
    assert WAITS in words(second)
    assert (standing(world, first), standing(world, second)) == ("REPLACED", "PARTLY_REFUNDED")


@pytest.mark.parametrize("reason", [RefundReason.NOT_ELIGIBLE, RefundReason.WRONG_PERSON])
def test_when_all_of_it_went_back_every_version_is_void(world, reason):
    account, order = paid(world)
    first = printed(world, account, order).content
    number = an_approved_one(world, order, reason=reason)
    second = printed(world, account, order).content
    becomes(world, number, NewsKind.REFUNDED)

    third = printed(world, account, order).content

    assert "作废" in words(third)
    assert "已退费" in words(third)
    assert {standing(world, each) for each in (first, second, third)} == {"REFUNDED"}
    assert asked(world, first).standing_text == "已作废"
    assert versions(world) == [(1, True), (2, True), (3, False)]


def test_what_the_treasury_returned_voids_it_as_well(world):
    account, order = paid(world)
    confirm(world, *bill_nos(world, order))
    pdf = printed(world, account, order).content
    number = an_approved_one(world, order)
    for to in (RefundState.TAX_REVIEW, RefundState.TREASURY, RefundState.REFUNDED):
        advance_refund(world.ports, refund_no=number, to=to, words=WHY, who="staff:S2048")

    assert standing(world, pdf) == "REFUNDED"


def test_money_that_the_provider_sent_back_unasked_counts_though_the_month_knows_nothing_of_it(world):
    account, order = paid(world)
    pdf = printed(world, account, order).content
    seen = replace(
        world.paid_news(order), notification_id="R1", kind=NewsKind.REFUNDED, refund_no="R1", provider_refund_no="PR1", refund_fen=100
    )  # fmt: skip
    world.hear(seen)
    world.settle()

    assert world.bill_states() == ["PAID"]
    assert standing(world, pdf) == "PARTLY_REFUNDED"
    assert "已退金额￥1.00" in words(printed(world, account, order).content)


def test_a_refund_that_failed_leaves_it_valid(world):
    account, order = paid(world)
    pdf = printed(world, account, order)
    becomes(world, an_approved_one(world, order), NewsKind.REFUND_FAILED)

    assert standing(world, pdf.content) == "VALID"
    assert printed(world, account, order) == pdf


def test_two_presses_at_once_are_one_serial(world):
    account, order = paid(world)

    made = at_once(*[lambda: printed(world, account, order)] * 8)

    assert len({each.content for each in made}) == 1
    assert versions(world) == [(1, False)]


def test_another_seal_key_changes_no_paper(world, ports, key_file):
    from config.seal_file import add_key
    from config.seals import load_seals

    world.ports = replace(ports, seals=load_seals(key_file))
    account, order = paid(world)
    first = printed(world, account, order)
    add_key(key_file, algorithm="SM4-GCM")
    world.ports = replace(world.ports, seals=load_seals(key_file))

    assert printed(world, account, order) == first


# Bounds, and what becomes of it.


def test_a_day_has_a_bound_over_all_orders_and_the_next_day_begins_anew(world, clock):
    account, order = paid(world)
    refused = 0
    for _ in range(RECEIPTS_A_DAY + 10):
        try:
            printed(world, account, order)
        except TooManyPrints:
            refused += 1

    assert refused == 10
    assert world.scalar("SELECT count(*) FROM receipt_fetches") == RECEIPTS_A_DAY
    assert printed(world, *paid(world)), "others are not shut out"
    clock.move(days=1)
    assert printed(world, account, order)


def test_eleven_months_go_on_on_another_page_and_none_is_lost(world):
    months = tuple(f"2026-{month:02}" for month in range(1, 12))
    account, order = paid(world, *months, region="650000", miniprogram=XINJIANG)

    pdf = printed(world, account, order).content

    assert pypdf.PdfReader(io.BytesIO(pdf)).get_num_pages() == 2
    assert [month for month in range(1, 12) if f"2026年{month}月" not in words(pdf)] == []
    assert len(pdf) < 64 * 1024


def test_its_holder_sees_what_was_printed_and_every_fetch_and_nobody_else_does(world):
    account, order = paid(world)
    made = [printed(world, account, order) for _ in range(2)]

    told = {kind.kind: kind for kind in own_data(world.ports, account=account)}

    assert [(item["order_no"], item["serial"]) for item in told["receipts"].items] == [(order.order_no, made[0].serial)]
    assert told["receipt_fetches"].count == 2
    assert "code" not in json.dumps(told["receipts"].items)
    strangers = {kind.kind: kind.count for kind in own_data(world.ports, account=world.account())}
    assert (strangers["receipts"], strangers["receipt_fetches"]) == (0, 0)


def test_a_receipt_whose_account_is_closed_still_verifies(world):
    account, order = paid(world)
    pdf = printed(world, account, order).content
    with world.ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = now(), person_id = NULL"))

    told = asked(world, pdf)

    assert told.standing is Standing.VALID
    assert told.facts[0].value == receipt_standing.NAMELESS


def test_a_region_that_left_the_rulebook_still_prints_and_verifies_by_its_codes(world):
    account, order = paid(world)
    regions = {code: region for code, region in world.ports.rulebook.regions.items() if code != "320400"}
    world.ports = replace(world.ports, rulebook=Rulebook(regions))

    pdf = printed(world, account, order).content

    assert "tax-320400" in words(pdf)
    assert standing(world, pdf) == "VALID"


def test_the_database_itself_knows_what_each_kind_is_about(world):
    from sqlalchemy.exc import IntegrityError

    account, order = paid(world)
    printed(world, account, order)

    for change in ("order_id = NULL", "kind = 'REGISTRATION_FORM'"):
        with pytest.raises(IntegrityError, match="ck_printouts_about_something"), world.ports.begin() as session:
            session.execute(text(f"UPDATE printouts SET {change}"))  # noqa: S608 - its own words
