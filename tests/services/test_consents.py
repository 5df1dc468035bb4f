"""Consents: one text, one purpose, one press; read first where the text asks for it; and told as they were given."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from config.rulebook import Notice, NoticePurpose, Rulebook
from services.consent_withdrawals import withdraw_consent
from services.consents import GOES_ON, STOPS, give_consent, list_consents, notice_texts, open_notice, require_consent
from services.errors import ConsentRequired, ConsentTextChanged, NotFound, ReadTheNoticeFirst
from tests.factories import WECHAT, XINJIANG, World
from tests.together import at_once


def text_for(ports, account, purpose: str) -> dict[str, str]:
    text = next(each for each in notice_texts(ports, account=account) if each.purpose == purpose)
    return {"purpose": purpose, "version": text.version, "text_hash": text.text_hash}


def another_text(ports, purpose: str, *, region: str = "320400", **changes):
    """The same house on the day after a text was changed; what stood before ended yesterday."""

    def changed(one):
        if one is None:
            return None
        rows = []
        for row in one.own(Notice):
            if row.purpose != purpose:
                rows.append(row)
                continue
            yesterday = ports.today() - timedelta(days=1)
            rows.append(row.model_copy(update={"effective_to": yesterday}))
            rows.append(row.model_copy(update={"effective_from": ports.today(), "version": "2026-11-22", **changes}))
        return replace(one, rows={**one.rows, Notice: tuple(rows)}, parent=changed(one.parent))

    regions = dict(ports.rulebook.regions)
    regions[region] = changed(regions[region])
    return replace(ports, rulebook=Rulebook(regions))


def serving(ports, *regions: str):
    """The same house where the mini-program serves these regions."""
    programs = dict(ports.partners.miniprograms)
    programs[WECHAT] = programs[WECHAT].model_copy(update={"regions": list(regions)})
    return replace(ports, partners=ports.partners.model_copy(update={"miniprograms": programs}))


# Reading first.


def test_a_text_that_asks_to_be_read_cannot_be_agreed_to_unopened(world, ports):
    account = world.account()

    with pytest.raises(ReadTheNoticeFirst) as refusal:
        give_consent(ports, account=account, **text_for(ports, account, "ENROLLMENT"))

    assert refusal.value.facts == {"purpose": "ENROLLMENT", "seconds_left": 10}
    assert "《灵活就业人员参保登记须知》" in refusal.value.said
    assert list_consents(ports, account=account) == []


@pytest.mark.parametrize(("waited", "left"), [(0, 10), (1, 9), (9, 1), (9.4, 1), (10, None), (86_400, None)])
def test_reading_takes_its_time_to_the_second(world, ports, clock, waited, left):
    account = world.account()
    text = text_for(ports, account, "ENROLLMENT")
    reading = open_notice(ports, account=account, **text)

    clock.move(seconds=waited)

    assert reading.may_agree_at - reading.opened_at == timedelta(seconds=10)
    if left is None:
        assert give_consent(ports, account=account, **text).purpose == "ENROLLMENT"
        return
    with pytest.raises(ReadTheNoticeFirst) as refusal:
        give_consent(ports, account=account, **text)
    assert (refusal.value.facts["seconds_left"], refusal.value.retry_after_seconds) == (left, left)


def test_opening_it_again_does_not_begin_again(world, ports, clock):
    account = world.account()
    text = text_for(ports, account, "ENROLLMENT")
    first = open_notice(ports, account=account, **text)
    clock.move(seconds=10)

    assert open_notice(ports, account=account, **text) == first
    assert give_consent(ports, account=account, **text)
    assert next(each for each in notice_texts(ports, account=account) if each.purpose == "ENROLLMENT").opened_at == ports.now() - timedelta(seconds=10)  # fmt: skip


def test_nobody_reads_for_another(world, ports, clock):
    reader, other = world.account(), world.account()
    text = text_for(ports, reader, "ENROLLMENT")
    open_notice(ports, account=reader, **text)
    clock.move(minutes=1)

    with pytest.raises(ReadTheNoticeFirst):
        give_consent(ports, account=other, **text)


def test_a_clock_that_went_back_asks_for_no_more_than_the_whole_time(world, ports, clock):
    account = world.account()
    text = text_for(ports, account, "ENROLLMENT")
    open_notice(ports, account=account, **text)
    clock.move(hours=-1)

    with pytest.raises(ReadTheNoticeFirst) as refusal:
        give_consent(ports, account=account, **text)

    assert refusal.value.facts["seconds_left"] == 10


def test_a_changed_text_is_read_again(world, ports, clock):
    account = world.account()
    old = text_for(ports, account, "ENROLLMENT")
    open_notice(ports, account=account, **old)
    clock.move(minutes=1)
    changed = another_text(ports, "ENROLLMENT", text="（示例文本）新的须知。")

    for opened in (old, {**old, "version": "2026-11-22"}):
        with pytest.raises(ConsentTextChanged):
            open_notice(changed, account=account, **opened)
    with pytest.raises(ReadTheNoticeFirst):
        give_consent(changed, account=account, **text_for(changed, account, "ENROLLMENT"))


def test_a_text_without_a_reading_time_is_agreed_to_at_once_and_may_be_opened(world, ports):
    account = world.account()
    text = text_for(ports, account, "FACE")

    reading = open_notice(ports, account=account, **text)

    assert (reading.reading_seconds, reading.may_agree_at) == (0, reading.opened_at)
    assert give_consent(ports, account=account, **text)


def test_made_up_purposes_are_not_opened(world, ports):
    account = world.account()

    with pytest.raises(NotFound):
        open_notice(ports, account=account, purpose="WORLD_PEACE", version="1", text_hash="0" * 64)

    assert world.scalar("SELECT count(*) FROM notice_readings") == 0


# Purposes and regions.


def test_every_purpose_has_a_text_of_its_own_and_its_own_tick(world, ports):
    account = world.account(verified=False)

    texts = notice_texts(ports, account=account)

    assert {text.purpose for text in texts} == {str(purpose) for purpose in NoticePurpose}
    assert len({text.text_hash for text in texts}) == len(texts)
    assert not any(text.given for text in texts)
    world.agree(account, "PHONE")
    assert [text.purpose for text in notice_texts(ports, account=account) if text.given] == ["PHONE"]


def test_every_text_says_what_it_is_for_what_happens_without_it_and_how_to_take_it_back(ports):
    for code in ("320400", "650000"):
        for notice in ports.rulebook.region(code).notices(ports.today()):
            if notice.purpose == NoticePurpose.AGENCY_CLIENT:
                continue  # what an agency asks of its clients: it uses no data of its own
            assert "不同意" in notice.text, notice.id
            assert "撤回" in notice.text, notice.id
            assert "用途" in notice.text or "只用来" in notice.text, notice.id
            assert "保存" in notice.text or "移除" in notice.text, notice.id


def test_texts_of_every_region_that_the_mini_program_serves_are_told(world, ports):
    both = serving(ports, "320400", "650000")
    account = World(both).account()

    texts = notice_texts(both, account=account)

    regions = {(text.purpose, text.title): text.regions for text in texts}
    assert regions["REAL_NAME", "实名认证信息使用说明"] == ["320400", "650000"]
    assert regions["ENROLLMENT", "灵活就业人员参保登记须知"] == ["320400"]
    assert regions["ENROLLMENT", "灵活就业人员参加养老保险须知"] == ["650000"]


def test_two_regions_texts_for_one_purpose_stand_beside_each_other(world, ports, clock):
    both = serving(ports, "320400", "650000")
    account = World(both).account()
    texts = [text for text in notice_texts(both, account=account) if text.purpose == "ENROLLMENT"]
    given = []
    for text in texts:
        words = {"purpose": text.purpose, "version": text.version, "text_hash": text.text_hash}
        open_notice(both, account=account, **words)
        clock.move(seconds=10)
        given.append(give_consent(both, account=account, **words))

    assert [each.withdrawn_at for each in list_consents(both, account=account)] == [None, None]

    withdraw_consent(both, account=account, consent_id=given[0].id)
    with both.begin() as session:
        require_consent(session, account_id=account.id, purpose="ENROLLMENT")
    withdraw_consent(both, account=account, consent_id=given[1].id)
    with both.begin() as session, pytest.raises(ConsentRequired):
        require_consent(session, account_id=account.id, purpose="ENROLLMENT")


def test_a_text_of_another_region_is_not_agreed_to_here(world, ports):
    there = world.account(miniprogram=XINJIANG)
    theirs = text_for(ports, there, "ENROLLMENT")

    with pytest.raises(ConsentTextChanged):
        give_consent(ports, account=world.account(), **theirs)


# What one agreed to.


def test_what_one_agreed_to_is_told_with_text_time_and_what_taking_it_back_stops(world, ports):
    account = world.account()
    (consent,) = world.agree(account, "FACE")

    (told,) = list_consents(ports, account=account)

    assert (told.id, told.purpose, told.title, told.given_at) == (consent.id, "FACE", "人脸核验单独同意书", ports.now())
    assert hashlib.sha256(told.text.encode()).hexdigest() == consent.text_hash
    assert (told.text_changed, told.replaced, told.withdrawn_at) == (False, False, None)
    assert "核验立即作废" in told.withdrawing_stops
    assert "仍然有效" in told.goes_on


def test_a_text_that_changed_since_is_asked_for_again_and_the_old_one_can_still_be_read(world, ports, clock):
    account = world.account()
    (old,) = world.agree(account, "FACE")
    clock.move(days=1)
    changed = another_text(ports, "FACE", text="（示例文本）新的同意书。")

    (told,) = list_consents(changed, account=account)
    assert (told.text_changed, told.version) == (True, old.version)
    assert "单独决定" in told.text
    assert not next(each for each in notice_texts(changed, account=account) if each.purpose == "FACE").given

    (new,) = World(changed).agree(account, "FACE")
    told = list_consents(changed, account=account)
    assert [(each.id, each.text_changed, each.replaced) for each in told] == [(new.id, False, False), (old.id, False, True)]
    assert told[1].withdrawing_stops is None


def test_what_was_taken_back_stays_in_the_list_as_such(world, ports, clock):
    account = world.account()
    (first,) = world.agree(account, "FACE")
    clock.move(minutes=1)
    withdraw_consent(ports, account=account, consent_id=first.id)
    clock.move(minutes=1)
    (second,) = world.agree(account, "FACE")

    told = list_consents(ports, account=account)

    assert [(each.id, each.withdrawn_at is None, each.replaced) for each in told] == [
        (second.id, True, False),
        (first.id, False, False),
    ]


def test_nobody_sees_what_another_agreed_to(world, ports):
    world.agree(world.account(), "FACE")

    assert list_consents(ports, account=world.account()) == []


def test_every_purpose_says_what_ends_and_what_goes_on():
    assert STOPS.keys() == GOES_ON.keys() >= {str(purpose) for purpose in NoticePurpose}


def test_presses_at_once_are_one_consent(world, ports):
    account = world.account()
    text = text_for(ports, account, "FACE")
    given = [consent.id for consent in at_once(*[lambda: give_consent(ports, account=account, **text)] * 6)]

    assert len(set(given)) == 1
    assert len(given) == 6
