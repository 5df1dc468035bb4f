"""Adding people to pay for: who is named rightly is found, and everybody else learns nothing, slowly."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from models.accounts import Account
from services.consent_withdrawals import withdraw_consent
from services.consents import give_consent, notice_texts
from services.errors import (
    ConsentRequired,
    ConsentTextChanged,
    IdNumberMalformed,
    NameMalformed,
    NotFound,
    PersonNotMatched,
    RealNameRequired,
    TooManyLookups,
)
from services.insured_persons import Named, add_insured_person, list_insured_persons, remove_insured_person
from tests.factories import ALIPAY, an_id_number

DOTS = "·•・‧．.●"


def payer(world) -> Account:
    account = world.account()
    world.agree(account, "PROXY_PAYMENT")
    return account


def add(world, account, name, id_number, *, keep=True, relation="母亲"):
    return add_insured_person(
        world.ports, account=account, named=Named(name=name, id_number=id_number), relation=relation, keep=keep
    )


def known(world, at: int, *, name="李小红") -> str:
    number = an_id_number(at, born="19700101", female=True)
    world.person(name=name, id_number=number)
    return number


def test_a_person_named_rightly_is_added_once_and_shown_masked(world, ports):
    account, number = payer(world), known(world, 1)

    first = add(world, account, "李小红", number)
    again = add(world, account, " 李小红", number)

    assert first.id == again.id
    rows = list_insured_persons(ports, account=account)
    assert [(row.is_self, row.relation) for row in rows] == [(True, "本人"), (False, "母亲")]
    assert (rows[1].person.name_masked, rows[1].person.id_number_masked) == ("李**", f"{number[:3]}***********{number[-4:]}")


@pytest.mark.parametrize("dot", DOTS)
def test_every_dot_finds_the_same_person(world, dot):
    number = known(world, 1, name="古丽巴哈尔·买买提")

    assert add(world, payer(world), f"古丽巴哈尔{dot}买买提", number)


def test_an_unknown_number_and_another_name_get_the_same_answer(world):
    account, number = payer(world), known(world, 1)

    refusals = []
    for name, id_number in (("李小明", number), ("李小红", an_id_number(2, born="19700101"))):
        with pytest.raises(PersonNotMatched) as refusal:
            add(world, account, name, id_number)
        refusals.append((refusal.value.said, refusal.value.facts, refusal.value.retry_after_seconds))

    assert refusals[0] == refusals[1]


@pytest.mark.parametrize(
    ("name", "id_number", "refusal"),
    [("李", an_id_number(1), NameMalformed), ("李小红", "320402199001010018", IdNumberMalformed)],
)
def test_a_slip_of_the_finger_is_told_and_not_counted(world, name, id_number, refusal):
    account = payer(world)

    with pytest.raises(refusal):
        add(world, account, name, id_number)

    assert world.scalar("SELECT count(*) FROM person_lookups") == 0


def test_nobody_is_looked_up_without_the_consent_for_it_or_after_it_was_taken_back(world, ports):
    number = known(world, 1)
    account = world.account()
    with pytest.raises(ConsentRequired) as refusal:
        add(world, account, "李小红", number)
    (consent,) = world.agree(account, "PROXY_PAYMENT")
    withdraw_consent(ports, account=account, consent_id=consent.id)
    with pytest.raises(ConsentRequired):
        add(world, account, "李小红", number)

    assert refusal.value.facts == {"purpose": "PROXY_PAYMENT"}
    assert world.scalar("SELECT count(*) FROM person_lookups") == 0


def test_nobody_is_looked_up_by_nobody(world):
    account = world.account(verified=False)
    world.agree(account, "PROXY_PAYMENT")

    with pytest.raises(RealNameRequired):
        add(world, account, "李小红", known(world, 1))


def test_five_people_a_day_and_known_ones_again(world, clock):
    account = payer(world)
    numbers = [known(world, at) for at in range(1, 8)]
    for number in numbers[:5]:
        add(world, account, "李小红", number)

    with pytest.raises(TooManyLookups):
        add(world, account, "李小红", numbers[5])
    assert add(world, account, "李小红", numbers[0])
    clock.move(hours=14)

    assert add(world, account, "李小红", numbers[5])


def test_a_second_platform_buys_no_more_people_and_no_more_misses(world, clock):
    holder = world.person()
    phone, other = world.account(holder), world.account(holder, miniprogram=ALIPAY)
    for account in (phone, other):
        world.agree(account, "PROXY_PAYMENT")
    numbers = [known(world, at) for at in range(1, 7)]
    for at, number in enumerate(numbers[:5]):
        add(world, (phone, other)[at % 2], "李小红", number)

    with pytest.raises(TooManyLookups):
        add(world, other, "李小红", numbers[5])
    clock.move(days=1)

    for at in range(20):
        with pytest.raises(PersonNotMatched):
            add(world, (phone, other)[at % 2], "李小红", an_id_number(at + 10, born="19800101"))
    for account in (phone, other):
        with pytest.raises(TooManyLookups):
            add(world, account, "李小红", numbers[0])


def test_twenty_misses_lock_the_account_for_a_week_even_for_right_names(world, clock):
    account, number = payer(world), known(world, 1)
    for at in range(20):
        with pytest.raises(PersonNotMatched):
            add(world, account, "李小红", an_id_number(at + 10, born="19800101"))

    with pytest.raises(TooManyLookups):
        add(world, account, "李小红", number)
    clock.move(days=6, hours=23)
    with pytest.raises(TooManyLookups):
        add(world, account, "李小红", number)
    clock.move(hours=1, seconds=1)

    assert add(world, account, "李小红", number)


def test_ten_misses_about_one_person_from_anybody_stop_the_guessing_for_the_day(world, clock):
    number = known(world, 1)
    for at in range(10):
        with pytest.raises(PersonNotMatched):
            add(world, payer(world), f"李小{'一二三四五六七八九十'[at]}", number)

    with pytest.raises(TooManyLookups):
        add(world, payer(world), "李小红", number)
    assert add(world, payer(world), "李小红", known(world, 2))
    clock.move(hours=14)

    assert add(world, payer(world), "李小红", number)


def a_crowd(world, count: int) -> list[Account]:
    """Accounts by the thousand, each of somebody else, copied in the database from one that may look people up."""
    first = payer(world)
    with world.ports.begin() as session:
        given = {"id": first.id, "holder": first.person_id, "count": count}
        session.execute(
            text("""
                WITH holders AS (
                    INSERT INTO persons (id, name_sealed, name_index, name_masked, id_number_sealed, id_number_index,
                                         id_number_masked, created_at)
                    SELECT gen_random_uuid(), name_sealed, name_index, name_masked, id_number_sealed, sha256(n::text::bytea),
                           id_number_masked, created_at
                    FROM persons, generate_series(1, :count) AS n WHERE id = :holder
                    RETURNING id)
                INSERT INTO accounts (id, miniprogram, subject_sealed, subject_index, person_id, elder_mode, created_at)
                SELECT gen_random_uuid(), miniprogram, subject_sealed, sha256(holders.id::text::bytea), holders.id, false, created_at
                FROM accounts, holders WHERE accounts.id = :id"""),
            given,
        )
        session.execute(
            text("""
                INSERT INTO consents (id, account_id, purpose, version, text_hash, given_at)
                SELECT gen_random_uuid(), a.id, purpose, version, text_hash, given_at
                FROM accounts a, consents c WHERE c.account_id = :id AND a.id <> :id"""),
            given,
        )
        crowd = session.scalars(select(Account).where(Account.id != first.id)).all()
        session.expunge_all()
    return list(crowd)


def test_a_thousand_accounts_learn_what_one_could_and_no_more(world, clock):
    """One about a person who is on record, one about a number that nobody has: their answers are the same for a fortnight."""
    crowd = a_crowd(world, 1_000)
    numbers = [known(world, 1), an_id_number(2, born="19800101")]
    heard = {number: [] for number in numbers}

    for day in range(14):
        for at in range(72):
            account = crowd[(day * 72 + at) % len(crowd)]
            for number in numbers:
                try:
                    add(world, account, f"李{chr(0x4E00 + day * 72 + at)}", number)
                except (PersonNotMatched, TooManyLookups) as refusal:
                    heard[number].append((day, refusal.code, refusal.said, refusal.facts))
        clock.move(days=1)

    there, nowhere = heard.values()
    assert there == nowhere
    answered = [day for day, code, *_ in there if code == "PERSON_NOT_MATCHED"]
    # What one account gets out of one number: ten tries a day, twenty in any week.
    assert [answered.count(day) for day in range(14)] == [10, 10, 0, 0, 0, 0, 0, 0, 10, 10, 0, 0, 0, 0]


def test_a_crowd_at_the_same_moment_gets_ten_answers(world):
    from concurrent.futures import ThreadPoolExecutor

    number, crowd = known(world, 1), [payer(world) for _ in range(40)]

    def guess(at):
        try:
            add(world, crowd[at], f"李{chr(0x4E00 + at)}", number)
        except (PersonNotMatched, TooManyLookups) as refusal:
            return refusal.code

    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(guess, range(len(crowd))))

    assert said.count("PERSON_NOT_MATCHED") == 10
    assert said.count("TOO_MANY_LOOKUPS") == 30


def test_tries_at_the_same_moment_are_counted_one_after_the_other(world):
    import threading

    account = payer(world)
    for at in range(19):
        with pytest.raises(PersonNotMatched):
            add(world, account, "李小红", an_id_number(at + 10, born="19800101"))
    answers = []

    def guess(at):
        try:
            add(world, account, "李小红", an_id_number(at + 100, born="19800101"))
        except (PersonNotMatched, TooManyLookups) as refusal:
            answers.append(type(refusal).__name__)

    threads = [threading.Thread(target=guess, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["PersonNotMatched", "TooManyLookups", "TooManyLookups", "TooManyLookups"]


def test_a_one_off_lapses_after_a_day_and_adding_again_renews_it(world, ports, clock):
    account, number = payer(world), known(world, 1)
    first = add(world, account, "李小红", number, keep=False)

    clock.move(hours=23)
    again = add(world, account, "李小红", number, keep=False)
    clock.move(hours=23)
    assert again.id == first.id
    assert len(list_insured_persons(ports, account=account)) == 2
    clock.move(hours=1)
    assert len(list_insured_persons(ports, account=account)) == 1

    assert add(world, account, "李小红", number, keep=True).expires_at is None


def test_a_kept_person_does_not_become_a_one_off(world, ports, clock):
    account, number = payer(world), known(world, 1)
    add(world, account, "李小红", number, keep=True)

    add(world, account, "李小红", number, keep=False)
    clock.move(days=30)

    assert len(list_insured_persons(ports, account=account)) == 2


def test_somebody_removed_is_gone_until_added_again_and_oneself_stays(world, ports):
    account, number = payer(world), known(world, 1)
    added = add(world, account, "李小红", number)
    me = world.me_in_list(account)

    remove_insured_person(ports, account=account, insured_person_id=added.id)

    for gone in (added.id, me):
        with pytest.raises(NotFound):
            remove_insured_person(ports, account=account, insured_person_id=gone)
    assert [row.id for row in list_insured_persons(ports, account=account)] == [me]
    assert add(world, account, "李小红", number).id != added.id


def test_naming_oneself_adds_nobody(world, ports):
    number = an_id_number(77)
    me = world.person(name="张三丰", id_number=number)
    account = world.account(me)
    world.agree(account, "PROXY_PAYMENT")

    add(world, account, "张三丰", number, keep=False)

    (row,) = list_insured_persons(ports, account=account)
    assert (row.is_self, row.keep, row.expires_at) == (True, True, None)


# Consents themselves.


def test_a_consent_is_to_the_very_text_that_is_in_force(world, ports):
    account = world.account(verified=False)
    text = next(each for each in notice_texts(ports, account=account) if each.purpose == "FACE")
    assert (text.given, text.sample) == (False, True)

    for version, text_hash in (("2020-01-01", text.text_hash), (text.version, "0" * 64)):
        with pytest.raises(ConsentTextChanged):
            give_consent(ports, account=account, purpose="FACE", version=version, text_hash=text_hash)
    with pytest.raises(NotFound):
        give_consent(ports, account=account, purpose="WORLD_PEACE", version=text.version, text_hash=text.text_hash)

    world.agree(account, "FACE")
    assert [each.purpose for each in notice_texts(ports, account=account) if each.given] == ["FACE"]


def test_the_same_consent_twice_is_one_and_taken_back_it_can_be_given_anew(world, ports):
    account = world.account(verified=False)
    (first,) = world.agree(account, "FACE")
    (again,) = world.agree(account, "FACE")
    withdraw_consent(ports, account=account, consent_id=first.id)
    (anew,) = world.agree(account, "FACE")

    assert first.id == again.id != anew.id
    assert world.rows("SELECT withdrawn_at IS NULL FROM consents ORDER BY given_at, id") == [(False,), (True,)]
    for account_, consent_id in ((account, first.id), (world.account(), anew.id)):
        with pytest.raises(NotFound):
            withdraw_consent(ports, account=account_, consent_id=consent_id)


def test_one_consent_never_stands_for_another(world, ports):
    account = world.account()
    world.agree(account, "REAL_NAME", "FACE")

    with pytest.raises(ConsentRequired):
        add(world, account, "李小红", known(world, 1))
