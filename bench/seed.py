"""People who owe: set-based, with every row that the house itself would have written up to the open payment."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from bench.machines import AUTHORITY, MERCHANT, PROGRAM
from bench.notices import Owed

if TYPE_CHECKING:
    import psycopg

AMOUNT_FEN: Final = 92_960
"""Of one month's bill."""

# Ids like ours (UUIDv7): they sort by when they were made. `{n}` counts from 1, `{salt}` keeps tables apart.
UUID: Final = "(lpad(to_hex(1795000000000 + n), 12, '0') || '7' || substr(md5({salt} || n), 1, 3) || '8' || substr(md5({salt} || n), 4, 15))::uuid"
BYTES: Final = "decode(repeat(md5({salt} || n), {times}), 'hex')"
NUMBER: Final = "upper(substr(md5({salt} || n), 1, 24))"
REGION: Final = "'320400'"

PERSONS: Final = f"""
    INSERT INTO persons (id, name_sealed, name_index, name_masked, id_number_sealed, id_number_index, id_number_masked, created_at)
    SELECT {UUID}, {BYTES}, {BYTES}, '张**', {BYTES}, {BYTES}, '320***********001X', now() FROM generate_series(%(first)s::int, %(last)s::int) n
""".format(salt="'person'", times=2)  # noqa: S608 - our own words only
ENROLLMENTS: Final = f"""
    INSERT INTO enrollments (person_id, region, pooling_area, insurance_type, tier, state, start_month, created_at, updated_at)
    SELECT {UUID}, {REGION}, '320402', '110', '3', 'ACTIVE', 202601, now(), now() FROM generate_series(%(first)s::int, %(last)s::int) n
""".format(salt="'person'")  # noqa: S608 - our own words only
ACCOUNTS: Final = f"""
    INSERT INTO accounts (id, miniprogram, subject_sealed, subject_index, person_id, elder_mode, created_at)
    SELECT {UUID}, '{PROGRAM}', {BYTES}, {BYTES}, {{person}}, false, now() FROM generate_series(%(first)s::int, %(last)s::int) n
""".format(salt="'account'", times=2, person=UUID.format(salt="'person'"))  # noqa: S608 - our own words only
BILLS: Final = f"""
    INSERT INTO contribution_bills (enrollment_id, insurance_type, region, authority, coverage_month, rule_id, tier_plan, tier, base_fen,
        amount_fen, account_part_fen, pooling_part_fen, state, issued_at)
    SELECT n, '110', {REGION}, '{AUTHORITY}', 202600 + month, 'bench', 'bench', '3', 464800, {AMOUNT_FEN}, 37184, {AMOUNT_FEN - 37184}, 'LOCKED', now()
    FROM generate_series(%(first)s::int, %(last)s::int) n, generate_series(1, %(bills)s::int) month
"""  # noqa: S608 - our own words only
ORDERS: Final = f"""
    INSERT INTO payment_orders (order_no, payer_account_id, person_id, is_strangers, miniprogram, merchant, authority, total_fen, state, created_at, expires_at)
    SELECT {NUMBER}, {{account}}, {{person}}, false, '{PROGRAM}', '{MERCHANT}', '{AUTHORITY}', {AMOUNT_FEN} * %(bills)s::bigint, 'PREPAY', now(),
        now() + interval '30 minutes'
    FROM generate_series(%(first)s::int, %(last)s::int) n
""".format(salt="'order'", account=UUID.format(salt="'account'"), person=UUID.format(salt="'person'"))  # noqa: S608 - our own words only
LINES: Final = f"""
    INSERT INTO payment_order_lines (order_id, bill_id, amount_fen, live)
    SELECT b.enrollment_id, b.id, {AMOUNT_FEN}, true FROM contribution_bills b WHERE b.enrollment_id BETWEEN %(first)s AND %(last)s
"""  # noqa: S608 - our own words only
PAYMENTS: Final = f"""
    INSERT INTO payments (id, payment_no, origin, order_id, channel, merchant, miniprogram, amount_fen, state, request_sealed, handle, next_ask_at, created_at)
    SELECT {UUID}, {NUMBER}, 'ORDER', n, 'wechat_pay', '{MERCHANT}', '{PROGRAM}', {AMOUNT_FEN} * %(bills)s::bigint, 'OPEN', {BYTES}, 'wx' || md5('handle' || n),
        now() + interval '1 hour', now()
    FROM generate_series(%(first)s::int, %(last)s::int) n
""".format(salt="'payment'", times=24)  # noqa: S608 - our own words only
MOVES: Final = f"""
    INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at)
    SELECT noun, CASE noun WHEN 'payment' THEN {UUID}::text ELSE n::text END, from_state, to_state, why, 'account:bench', now()
    FROM generate_series(%(first)s::int, %(last)s::int) n, (VALUES
        ('contribution_bill', 'UNPAID', 'LOCKED', 'bill.locked'), ('payment_order', 'CREATED', 'PREPAY', 'order.opened'),
        ('payment', 'CREATED', 'OPEN', 'payment.opened')) AS steps(noun, from_state, to_state, why)
""".format(salt="'payment'")  # noqa: S608 - our own words only
UP_TO_THE_OPEN_PAYMENT: Final = (PERSONS, ENROLLMENTS, ACCOUNTS, BILLS, ORDERS, LINES, PAYMENTS, MOVES)


class Debtors:
    """Open payments, taken in an order that has nothing to do with how they lie on disk."""

    def __init__(self, connection: psycopg.Connection[Any], *, of_one_bill: int, of_three_bills: int, seed: int) -> None:
        # An enrolment's number is an order's number is n: the tables are new, and each counts from 1.
        _insert(connection, first=1, last=of_one_bill, bills=1)
        _insert(connection, first=of_one_bill + 1, last=of_one_bill + of_three_bills, bills=3)
        self._left: dict[int, list[Owed]] = {}
        for bills in (1, 3):
            rows = connection.execute(
                "SELECT payment_no, amount_fen FROM payments WHERE amount_fen = %s ORDER BY id", (AMOUNT_FEN * bills,)
            )
            self._left[bills] = [Owed(*row) for row in rows]
            random.Random(seed + bills).shuffle(self._left[bills])

    def take(self, count: int, *, bills: int) -> list[Owed]:
        left = self._left[bills]
        assert len(left) >= count, "the seed was too small for this many rounds"
        taken, self._left[bills] = left[:count], left[count:]
        return taken


def seed_enrollments(connection: psycopg.Connection[Any], count: int) -> None:
    """Active enrolments without a bill, for assessment."""
    for statement in (PERSONS, ENROLLMENTS):
        connection.execute(statement, {"first": 1, "last": count})


def _insert(connection: psycopg.Connection[Any], *, first: int, last: int, bills: int) -> None:
    if last < first:
        return
    for statement in UP_TO_THE_OPEN_PAYMENT:
        connection.execute(statement, {"first": first, "last": last, "bills": bills})
        # Or the next table's foreign keys are checked by a plan for the table as it was: empty.
        connection.execute("ANALYZE")
