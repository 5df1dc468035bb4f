"""DOOR 1: JSON for people with a phone, under /api/v1. One file per noun, schemas above endpoints.

    sessions          POST /sessions · DELETE /sessions/current · GET /me · PATCH /me/preferences
    regions           GET /regions[/{code}], for everybody
    menu              GET /menu
    consents          GET /notices · POST /notices/readings · GET|POST|DELETE /consents[/{id}]
    identity          POST /identity/real-name · POST|GET /identity/face-checks[/{id}[/finished]]
    ways_without_face POST /identity/bank-card-checks · POST /identity/counter-checks · GET|DELETE /identity/counter-checks/current
    insured_persons   GET|POST|DELETE /insured-persons[/{id}]
    payer_blocks      GET|POST|DELETE /payer-blocks[/{id}]
    bills             GET /insured-persons/{id}/bills
    payment_orders    GET|POST /payment-orders[/{no}] · POST /payment-orders/{no}/cancel
    receipts          GET /payment-orders/{no}/receipt (PDF)
    registration_forms GET /applications/{id}/registration-form (PDF)
    personal_data     GET /personal-data[/copy|/accesses] · GET|POST|DELETE /personal-data/requests[/{id}]

Sign in with a bearer token; name every creating POST with an Idempotency-Key; read refusals by their `code`.
"""
