"""Every operation against every wrong asker, drawn from the document: a new operation is in the matrix before anybody thinks of it.

Tokens that are none, and accounts that are not verified, stand in test_door_signed_in.py; here: the right person at the wrong
mini-program, a closed account, and a child.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from models.people import Person
from tests.doors.stories import CHILD, GOOD, newcomer
from tests.doors.test_door_signed_in import OWNED, SIGNED_IN
from tests.factories import ALIPAY, WECHAT, XINJIANG

PERSONS_OWN = {"change_tier", "unblock_payer", "read_withholding_agreement", "terminate_withholding_agreement"}
"""What belongs to the person, who may see to it from every account of theirs."""
ELSEWHERE = {WECHAT: (ALIPAY, XINJIANG), ALIPAY: (WECHAT, XINJIANG), XINJIANG: (WECHAT, ALIPAY)}


def same_person_at(house, account, miniprogram):
    """Another account of whoever holds this one."""
    person = None
    if account.person_id is not None:
        with house.ports.begin() as session:
            person = session.get_one(Person, account.person_id)
            session.expunge(person)
    return house.world.account(person, miniprogram=miniprogram, verified=person is not None)


@pytest.mark.parametrize("operation", sorted(set(OWNED) - PERSONS_OWN))
def test_the_same_person_at_another_mini_program_is_another_account(house, operation):
    ask = GOOD[operation](house)
    for miniprogram in ELSEWHERE.get(ask.account.miniprogram, (WECHAT,)):
        other = same_person_at(house, ask.account, miniprogram)
        # Their own account and what comes with it is all that has come into being.
        before = house.row_counts()

        assert replace(ask, account=other).send(house).json["code"] == "NOT_FOUND", miniprogram
        assert house.row_counts() == before
    assert ask.send(house).status_code < 300


@pytest.mark.parametrize("operation", SIGNED_IN)
def test_a_closed_account_is_nobody(house, operation):
    ask = GOOD[operation](house)
    phone = house.phone(ask.account)
    with house.ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = now() WHERE id = :id"), {"id": ask.account.id})
    before = house.row_counts()

    assert phone.ask(ask.method, ask.path, ask.given).json["code"] == "SIGN_IN_AGAIN"
    assert house.row_counts() == before


@pytest.mark.parametrize("operation", SIGNED_IN)
def test_nothing_makes_a_child_a_holder_of_an_account(house, operation):
    """Whatever else is asked with a child's ID number in the place of one's own, no account comes to be a child's."""
    ask = GOOD[operation](house)
    if "id_number" not in (ask.given or {}) or operation == "add_insured_person":
        pytest.skip("nobody says here who they are")
    child = replace(ask, given={**ask.given, "id_number": CHILD}, account=newcomer(house, "REAL_NAME", "FACE"))

    assert child.send(house).json["code"] == "UNDER_SIXTEEN"
