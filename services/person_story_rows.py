"""One statement for each thing that a person's story tells: when, a key that sorts, and what the row says. Nothing sealed is among it.

Each takes `:person` and what of theirs may be seen: `:enrollments`, `:applications`, `:agreements`, `:orders` and `:accounts`, by ids.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What can be asked for by itself."""

    ENROLLMENTS = "ENROLLMENTS"
    APPLICATIONS = "APPLICATIONS"
    BILLS = "BILLS"
    ORDERS = "ORDERS"
    REFUNDS = "REFUNDS"
    DEBITS = "DEBITS"
    MESSAGES = "MESSAGES"
    IDENTITY = "IDENTITY"
    CONSENTS = "CONSENTS"
    ACCESSES = "ACCESSES"


ROWS: Final[dict[str, tuple[Kind, str]]] = {
    "enrollment": (Kind.ENROLLMENTS, """
        SELECT created_at AS at, id::text AS key, jsonb_build_object('region', region, 'insurance_type', insurance_type,
            'tier_plan', tier_plan, 'tier', tier, 'state', state, 'start_month', start_month, 'end_month', end_month) AS facts
        FROM enrollments WHERE id = ANY(:enrollments)"""),
    "enrollment_move": (Kind.ENROLLMENTS, """
        SELECT m.at, m.id::text, jsonb_build_object('region', e.region, 'insurance_type', e.insurance_type, 'to_state', m.to_state,
            'start_month', e.start_month, 'end_month', e.end_month, 'who', m.who)
        FROM moves m JOIN enrollments e ON e.id = m.row_id::bigint
        WHERE m.noun = 'enrollment' AND m.row_id = ANY(CAST(:enrollments AS text[])) AND m.from_state <> 'NONE'"""),
    "application_move": (Kind.APPLICATIONS, """
        SELECT m.at, m.id::text, jsonb_build_object('id', a.id, 'case_no', a.case_no, 'kind', a.kind, 'region', a.region,
            'event', split_part(m.why, ':', 1), 'reason', CASE WHEN m.to_state IN ('REJECTED', 'RETURNED') THEN split_part(m.why, ': ', 2) END,
            'who', m.who)
        FROM moves m JOIN enrollment_applications a ON a.id = m.row_id::uuid
        WHERE m.noun = 'enrollment_application' AND m.row_id = ANY(CAST(:applications AS text[]))
            AND m.to_state NOT IN ('DRAFT', 'DOCUMENTS_READY')"""),
    "override": (Kind.APPLICATIONS, """
        SELECT o.asked_at, o.id::text, jsonb_build_object('id', a.id, 'case_no', a.case_no, 'state', o.state, 'who', o.asked_by,
            'decided_by', o.decided_by)
        FROM review_overrides o JOIN enrollment_applications a ON a.id = o.application_id WHERE a.id = ANY(:applications)"""),
    "bill": (Kind.BILLS, """
        SELECT issued_at, id::text, jsonb_build_object('bill_no', bill_no, 'region', region, 'insurance_type', insurance_type,
            'coverage_month', coverage_month, 'kind', kind, 'amount_fen', amount_fen, 'state', state)
        FROM contribution_bills WHERE enrollment_id = ANY(:enrollments) AND NOT voided"""),
    "order": (Kind.ORDERS, """
        SELECT o.created_at, o.id::text, jsonb_build_object('order_no', o.order_no, 'total_fen', o.total_fen, 'state', o.state,
            'origin', o.origin, 'is_own', o.person_id = :person, 'insured', i.name_masked, 'payment_no', p.payment_no, 'account',
            p.channel || ':' || p.merchant)
        FROM payment_orders o JOIN persons i ON i.id = o.person_id LEFT JOIN LATERAL (
            SELECT * FROM payments WHERE order_id = o.id ORDER BY created_at LIMIT 1) p ON true WHERE o.id = ANY(:orders)"""),
    "payment": (Kind.ORDERS, """
        SELECT coalesce(paid_at, created_at), payment_no, jsonb_build_object('payment_no', payment_no, 'amount_fen', amount_fen,
            'state', state, 'account', channel || ':' || merchant)
        FROM payments WHERE order_id = ANY(:orders) AND state IN ('SUCCEEDED', 'SURPLUS')"""),
    "refund": (Kind.REFUNDS, """
        SELECT r.created_at, r.id::text, jsonb_build_object('id', r.id, 'refund_no', r.refund_no, 'amount_fen', r.amount_fen,
            'state', r.state, 'reason', r.reason, 'who', r.applied_by, 'account', p.channel || ':' || p.merchant)
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.order_id = ANY(:orders)"""),
    "refunded": (Kind.REFUNDS, """
        SELECT r.refunded_at, r.id::text, jsonb_build_object('id', r.id, 'refund_no', r.refund_no, 'amount_fen', r.amount_fen,
            'account', p.channel || ':' || p.merchant)
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE p.order_id = ANY(:orders) AND r.refunded_at IS NOT NULL"""),
    "agreement": (Kind.DEBITS, """
        SELECT signed_at, id::text, jsonb_build_object('agreement_no', agreement_no, 'region', region, 'insurance_type', insurance_type,
            'bank', bank, 'card_masked', card_masked, 'state', state)
        FROM withholding_agreements WHERE id = ANY(:agreements)"""),
    "agreement_move": (Kind.DEBITS, """
        SELECT m.at, m.id::text, jsonb_build_object('agreement_no', a.agreement_no, 'to_state', m.to_state, 'who', m.who)
        FROM moves m JOIN withholding_agreements a ON a.id = m.row_id::uuid
        WHERE m.noun = 'withholding_agreement' AND m.row_id = ANY(CAST(:agreements AS text[]))"""),
    "debit": (Kind.DEBITS, """
        SELECT i.created_at, i.id::text, jsonb_build_object('batch_id', b.id, 'way', b.way, 'run_day', b.run_day, 'number', b.number,
            'amount_fen', i.amount_fen, 'state', i.state, 'result', i.result, 'ended_at', i.ended_at)
        FROM debit_instructions i JOIN debit_batches b ON b.id = i.batch_id WHERE i.agreement_id = ANY(:agreements)"""),
    "message": (Kind.MESSAGES, """
        SELECT created_at, id::text, jsonb_build_object('template', template, 'state', state, 'way', way)
        FROM messages WHERE account_id = ANY(:accounts)"""),
    "verified": (Kind.IDENTITY, """
        SELECT verified_at, id::text, jsonb_build_object('method', method)
        FROM identity_verifications WHERE account_id = ANY(:accounts) AND verified_at IS NOT NULL"""),
    "face_check": (Kind.IDENTITY, """
        SELECT created_at, id::text, jsonb_build_object('provider', provider, 'state', state)
        FROM face_checks WHERE account_id = ANY(:accounts)"""),
    "bank_card_check": (Kind.IDENTITY, """
        SELECT created_at, id::text, jsonb_build_object('card_masked', card_masked, 'state', state, 'purpose', purpose)
        FROM bank_card_checks WHERE account_id = ANY(:accounts)"""),
    "counter_check": (Kind.IDENTITY, """
        SELECT created_at, id::text, jsonb_build_object('state', state, 'site', site, 'who', attested_by)
        FROM counter_checks WHERE account_id = ANY(:accounts)"""),
    "consent": (Kind.CONSENTS, """
        SELECT given_at, id::text, jsonb_build_object('purpose', purpose, 'version', version)
        FROM consents WHERE account_id = ANY(:accounts)"""),
    "consent_withdrawn": (Kind.CONSENTS, """
        SELECT withdrawn_at, id::text, jsonb_build_object('purpose', purpose, 'version', version)
        FROM consents WHERE account_id = ANY(:accounts) AND withdrawn_at IS NOT NULL"""),
    "access": (Kind.ACCESSES, """
        SELECT x.at, x.id::text, jsonb_build_object('columns', x.columns, 'purpose', x.purpose, 'who', x.who)
        FROM (SELECT 'persons' AS subject_table, CAST(:person AS uuid) AS subject_id
              UNION ALL SELECT 'accounts', unnest(CAST(:accounts AS uuid[]))
              UNION ALL SELECT 'enrollment_applications', unnest(CAST(:applications AS uuid[]))
              UNION ALL SELECT 'withholding_agreements', unnest(CAST(:agreements AS uuid[]))
              UNION ALL SELECT 'identity_verifications', id FROM identity_verifications WHERE account_id = ANY(:accounts)
              UNION ALL SELECT 'application_documents', id FROM application_documents WHERE application_id = ANY(:applications)) about
        JOIN personal_data_accesses x USING (subject_table, subject_id)"""),
}  # fmt: skip
"""What a row is → the kind that it belongs to, and its statement. Of one moment, causes stand before what they caused."""
