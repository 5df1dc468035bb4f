"""What must be true when everybody has come to rest, whatever was killed on the way: nothing lost, doubled or stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from services import journal

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

NONE_OF_THESE: dict[str, str] = {
    "an order is neither paid nor closed": "SELECT order_no, state FROM payment_orders WHERE state NOT IN ('PAID', 'CLOSED')",
    "a payment is still live": "SELECT payment_no, state FROM payments WHERE state IN ('CREATED', 'OPEN')",
    "a payment and its order disagree": """
        SELECT p.payment_no, p.state, o.state FROM payments p JOIN payment_orders o ON o.id = p.order_id
        WHERE (p.state, o.state) NOT IN (('SUCCEEDED', 'PAID'), ('CLOSED', 'CLOSED'), ('SURPLUS', 'CLOSED'))""",
    "an order has no payment, or two": """
        SELECT o.order_no, count(p.id) FROM payment_orders o LEFT JOIN payments p ON p.order_id = o.id GROUP BY 1 HAVING count(p.id) <> 1""",
    "a bill is neither free nor paid": "SELECT bill_no, state FROM contribution_bills WHERE state NOT IN ('UNPAID', 'PAID', 'TAX_CONFIRMED', 'POSTED', 'REFUNDED')",
    "a free bill is held": """
        SELECT b.bill_no FROM contribution_bills b JOIN payment_order_lines l ON l.bill_id = b.id WHERE b.state = 'UNPAID' AND l.live""",
    "a paid bill is held by nobody or by two": """
        SELECT b.bill_no FROM contribution_bills b LEFT JOIN payment_order_lines l ON l.bill_id = b.id AND l.live
        WHERE b.state = 'PAID' GROUP BY b.id HAVING count(l.*) <> 1""",
    "a paid order's bill is not paid": """
        SELECT o.order_no FROM payment_orders o JOIN payment_order_lines l ON l.order_id = o.id JOIN contribution_bills b ON b.id = l.bill_id
        WHERE o.state = 'PAID' AND (b.state NOT IN ('PAID', 'TAX_CONFIRMED', 'POSTED', 'REFUNDED') OR NOT l.live)""",
    "a closed order holds a bill": """
        SELECT o.order_no FROM payment_orders o JOIN payment_order_lines l ON l.order_id = o.id WHERE o.state = 'CLOSED' AND l.live""",
    "a paid bill has not exactly one record of its amount": """
        SELECT b.bill_no, count(r.id) FROM contribution_bills b LEFT JOIN contribution_records r
            ON r.bill_id = b.id AND r.amount_fen = b.amount_fen AND r.state <> 'REVERSED'
        WHERE b.state = 'PAID' GROUP BY b.id HAVING count(r.id) <> 1""",
    "a bill has two records": "SELECT bill_id FROM contribution_records WHERE state <> 'REVERSED' GROUP BY 1 HAVING count(*) > 1",
    "a paid bill's money did not move exactly once": """
        SELECT b.bill_no, count(t.id) FROM contribution_bills b LEFT JOIN transfers t
            ON t.bill_id = b.id AND t.kind = 'SETTLED' AND t.amount_fen = b.amount_fen AND t.debit_account LIKE 'clearing:%'
        WHERE b.state = 'PAID' GROUP BY b.id HAVING count(t.id) <> 1""",
    "a paid order's transfers are not its amount": """
        SELECT o.order_no FROM payment_orders o JOIN payments p ON p.order_id = o.id LEFT JOIN transfers t ON t.payment_id = p.id AND t.kind = 'SETTLED'
        WHERE o.state = 'PAID' GROUP BY o.id HAVING coalesce(sum(t.amount_fen), 0) <> o.total_fen""",
    "a payment was settled and put aside": """
        SELECT payment_id FROM transfers WHERE kind IN ('SETTLED', 'SURPLUS', 'UNCLAIMED') GROUP BY 1 HAVING count(DISTINCT kind) > 1""",
    "money was put aside twice": """
        SELECT payment_id FROM transfers WHERE kind IN ('SURPLUS', 'UNCLAIMED') GROUP BY 1 HAVING count(*) > 1""",
    "a refund is still on its way": "SELECT refund_no, state FROM refunds WHERE state IN ('APPROVED', 'SENT', 'ABNORMAL')",
    "money is on its way back and no refund is": """
        SELECT account, sum(fen) FROM (SELECT credit_account AS account, amount_fen AS fen FROM transfers
            UNION ALL SELECT debit_account, -amount_fen FROM transfers) AS sides
        WHERE account LIKE 'refunding:%' GROUP BY 1 HAVING sum(fen) <> 0""",
    "second money was neither sent back nor is a person's affair": """
        SELECT p.payment_no FROM payments p WHERE p.state = 'SURPLUS'
            AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = p.id AND r.state IN ('REFUNDED', 'FAILED'))""",
    "a month that went back has a live record, or a paid one has none": """
        SELECT b.bill_no FROM contribution_bills b LEFT JOIN contribution_records r ON r.bill_id = b.id AND r.state <> 'REVERSED'
        WHERE (b.state = 'REFUNDED' AND r.id IS NOT NULL) OR (b.state = 'PAID' AND r.id IS NULL)""",
    "somebody got their money back and was told not at all or twice": """
        SELECT r.refund_no, count(m.id) FROM refunds r JOIN payments p ON p.id = r.payment_id JOIN payment_orders o ON o.id = p.order_id
            LEFT JOIN messages m ON m.facts ->> 'order_no' = o.order_no AND m.template = 'refund.done'
        WHERE r.origin = 'ORDERED' AND r.state = 'REFUNDED' GROUP BY r.id
        HAVING count(m.id) <> (SELECT count(*) FROM refunds s WHERE s.payment_id = r.payment_id AND s.origin = 'ORDERED' AND s.state = 'REFUNDED')""",
    "a notice still waits": "SELECT notification_id FROM notices WHERE state = 'WAITING'",
    "a payment took effect twice": "SELECT payment_no FROM notices WHERE outcome = 'PAID' GROUP BY 1 HAVING count(*) > 1",
    "a payer was not told exactly once": """
        SELECT o.order_no, count(m.id) FROM payment_orders o LEFT JOIN messages m
            ON m.facts ->> 'order_no' = o.order_no AND m.template = 'payment.succeeded'
        WHERE o.state = 'PAID' AND o.payer_account_id IS NOT NULL GROUP BY o.id HAVING count(m.id) <> 1""",
    "a confirmed month's money is not with the treasury, or twice": """
        SELECT b.bill_no, count(t.id) FROM contribution_bills b LEFT JOIN transfers t
            ON t.bill_id = b.id AND t.credit_account = 'treasury:' || b.authority AND t.debit_account LIKE 'contributions:%' AND t.amount_fen = b.amount_fen
        WHERE b.state IN ('TAX_CONFIRMED', 'POSTED') GROUP BY b.id HAVING count(t.id) <> 1""",
    "a confirmed month and its record disagree": """
        SELECT b.bill_no, b.state, r.state FROM contribution_bills b JOIN contribution_records r ON r.bill_id = b.id AND r.state <> 'REVERSED'
        WHERE b.state IN ('PAID', 'TAX_CONFIRMED', 'POSTED') AND b.state <> r.state""",
    "somebody was told 缴费成功 not at all or twice": """
        SELECT o.order_no, count(DISTINCT m.id) FROM payment_orders o JOIN payments p ON p.order_id = o.id
            JOIN transfers t ON t.payment_id = p.id AND t.kind = 'CONFIRMED'
            LEFT JOIN messages m ON m.facts ->> 'order_no' = o.order_no AND m.template = 'contribution.confirmed'
        WHERE o.payer_account_id IS NOT NULL GROUP BY o.id HAVING count(DISTINCT m.id) <> 1""",
    "a row's moves do not chain to where it is": """
        WITH steps AS (SELECT noun, row_id, from_state, to_state, id, lag(to_state) OVER w AS before, lead(id) OVER w AS next FROM moves
                       WINDOW w AS (PARTITION BY noun, row_id ORDER BY id)),
             stands AS (SELECT 'payment' AS noun, id::text AS row_id, state FROM payments
                        UNION ALL SELECT 'payment_order', id::text, state FROM payment_orders
                        UNION ALL SELECT 'contribution_bill', id::text, state FROM contribution_bills
                        UNION ALL SELECT 'identity_verification', id::text, state FROM identity_verifications
                        UNION ALL SELECT 'face_check', id::text, state FROM face_checks
                        UNION ALL SELECT 'bank_card_check', id::text, state FROM bank_card_checks
                        UNION ALL SELECT 'counter_check', id::text, state FROM counter_checks
                        UNION ALL SELECT 'withholding_agreement', id::text, state FROM withholding_agreements
                        UNION ALL SELECT 'refund', id::text, state FROM refunds
                        UNION ALL SELECT 'enrollment', id::text, state FROM enrollments
                        UNION ALL SELECT 'enrollment_application', id::text, state FROM enrollment_applications
                        UNION ALL SELECT 'review_override', id::text, state FROM review_overrides)
        SELECT s.noun, s.row_id, s.from_state, s.to_state, s.before, stands.state FROM steps s JOIN stands USING (noun, row_id)
        WHERE s.before <> s.from_state OR (s.next IS NULL AND s.to_state <> stands.state)""",
    "an approval did not take effect whole": """
        SELECT a.case_no FROM enrollment_applications a WHERE a.state = 'APPROVED' AND (
            EXISTS (SELECT 1 FROM application_items i LEFT JOIN enrollments e ON e.id = i.enrollment_id AND e.state = 'ACTIVE'
                    LEFT JOIN contribution_bills b ON b.enrollment_id = e.id AND NOT b.voided
                    WHERE i.application_id = a.id AND (i.live OR e.id IS NULL OR b.id IS NULL)))""",
    "an enrolment that no approval opened": """
        SELECT e.id FROM enrollments e JOIN moves m ON m.noun = 'enrollment' AND m.row_id = e.id::text AND m.who LIKE 'staff:%'
        WHERE NOT EXISTS (SELECT 1 FROM application_items i JOIN enrollment_applications a ON a.id = i.application_id
                          WHERE i.enrollment_id = e.id AND a.state = 'APPROVED')""",
    "a decision was told not at all or twice": """
        SELECT a.case_no, count(m.id) FROM enrollment_applications a LEFT JOIN messages m
            ON m.facts->>'case_no' = a.case_no AND m.template <> 'application.overdue'
        WHERE a.state IN ('APPROVED', 'REJECTED', 'RETURNED') GROUP BY a.id HAVING count(m.id) <> 1""",
    "an application that is nobody's to decide any more is held": """
        SELECT case_no FROM enrollment_applications WHERE state = 'UNDER_REVIEW' AND taken_up_by IS NULL""",
    "one press of a button made two orders": """
        SELECT payer_account_id FROM idempotency_keys k JOIN payment_orders o ON o.order_no = k.result_id GROUP BY 1, k.key HAVING count(*) > 1""",
    "an order that no key remembers": """
        SELECT order_no FROM payment_orders WHERE origin = 'PHONE' AND order_no NOT IN (SELECT result_id FROM idempotency_keys)""",
    "a debit is still under way": "SELECT id, state FROM debit_instructions WHERE state IN ('IN_FLIGHT', 'UNKNOWN')",
    "somebody was told twice of a run": """
        SELECT account_id, facts ->> 'due_on', template FROM messages WHERE template IN ('debit.coming', 'debit.tomorrow')
        GROUP BY 1, 2, 3 HAVING count(*) > 1""",
    "a batch has not ended": "SELECT id, state FROM debit_batches WHERE state <> 'ANSWERED'",
    "a batch's sums are not its lines'": """
        SELECT b.id FROM debit_batches b LEFT JOIN debit_instructions i ON i.batch_id = b.id GROUP BY b.id
        HAVING count(i.id) <> b.lines OR coalesce(sum(i.amount_fen), 0) <> b.total_fen""",
    "a debit and its payment disagree": """
        SELECT i.id, i.state, p.state FROM debit_instructions i JOIN payments p ON p.id = i.payment_id
        WHERE (i.state, p.state) NOT IN (('SUCCEEDED', 'SUCCEEDED'), ('SUCCEEDED', 'SURPLUS'), ('FAILED', 'CLOSED'))""",
    "a bill went to a bank twice on one day": """
        SELECT l.bill_id, b.run_day FROM debit_instructions i JOIN debit_batches b ON b.id = i.batch_id JOIN payments p ON p.id = i.payment_id
            JOIN payment_order_lines l ON l.order_id = p.order_id GROUP BY 1, 2 HAVING count(*) > 1""",
    "a failed debit was told not at all or twice": """
        SELECT i.id, count(m.id) FROM debit_instructions i JOIN payments p ON p.id = i.payment_id JOIN payment_orders o ON o.id = p.order_id
            LEFT JOIN messages m ON m.account_id = o.payer_account_id AND m.template LIKE 'debit.failed%'
        WHERE i.state = 'FAILED' AND o.payer_account_id IS NOT NULL GROUP BY i.id HAVING count(m.id) <> 1""",
    "a face check is still open": "SELECT id FROM face_checks WHERE state IN ('CREATED', 'PENDING')",
    "an agreement waits for its bank for ever": "SELECT agreement_no FROM withholding_agreements WHERE next_ask_at IS NOT NULL",
    "a phone that the bank knows outlived its question": """
        SELECT agreement_no FROM withholding_agreements WHERE state <> 'PENDING_VERIFY' AND phone_sealed IS NOT NULL""",
    "an agreement that no key remembers": """
        SELECT agreement_no FROM withholding_agreements
        WHERE account_id IS NOT NULL AND id::text NOT IN (SELECT result_id FROM idempotency_keys)""",
    "a bank card check is still open": "SELECT id FROM bank_card_checks WHERE state = 'CREATED'",
    "a code for the counter has lapsed and is open": """
        SELECT id FROM counter_checks WHERE state IN ('OPEN', 'ATTESTED')""",
    "what was typed at a counter outlived its check": """
        SELECT id FROM counter_checks WHERE state <> 'ATTESTED' AND (name_sealed IS NOT NULL OR id_number_sealed IS NOT NULL)""",
    "a counter's yes made nobody somebody": """
        SELECT c.id FROM counter_checks c LEFT JOIN identity_verifications v ON v.account_id = c.account_id AND v.state = 'VERIFIED'
        WHERE c.state = 'CONFIRMED' AND v.id IS NULL""",
    "an identity waits for a face check that is over": "SELECT id FROM identity_verifications WHERE state = 'FACE_PENDING'",
    "an account is somebody without being verified, or verified without being anybody": """
        SELECT a.id FROM accounts a JOIN identity_verifications v ON v.account_id = a.id WHERE (a.person_id IS NOT NULL) <> (v.state = 'VERIFIED')""",
    "a verified account may not pay for itself": """
        SELECT a.id FROM accounts a WHERE a.person_id IS NOT NULL AND (SELECT count(*) FROM insured_persons i
            WHERE i.account_id = a.id AND i.person_id = a.person_id AND i.is_self AND i.removed_at IS NULL) <> 1""",
}
"""What must never be → the question that finds it."""


def untruths(session: Session) -> dict[str, list[Any]]:
    """Everything that should not be, with the rows that show it (a few)."""
    found = {}
    for what, sql in NONE_OF_THESE.items():
        rows = [tuple(row) for row in session.execute(text(sql)).fetchmany(5)]
        if rows:
            found[what] = rows
    return found


def clearing(session: Session) -> dict[str, int]:
    """What our books say each merchant account holds, by `{channel}:{merchant}`."""
    return {
        account.removeprefix("clearing:"): fen
        for account, fen in journal.balances(session).items()
        if account.startswith("clearing:") and fen
    }


def parked_conflicts(session: Session) -> int:
    count: int = session.execute(text("SELECT count(*) FROM notices WHERE outcome = 'CONFLICT'")).scalar_one()
    return count
