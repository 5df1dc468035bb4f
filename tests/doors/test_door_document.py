"""The OpenAPI document: sound, whole, the one that is committed, and of one mind with what the use cases say of themselves."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
import warnings
from pathlib import Path

import pytest

import services.application_forms
import services.application_views
import services.applications
import services.bank_card_checks
import services.bills
import services.consent_withdrawals
import services.consents
import services.counter_codes
import services.document_links
import services.documents
import services.enrollments
import services.face_checks
import services.insured_persons
import services.joint_cases
import services.menu
import services.orders
import services.own_data
import services.own_data_requests
import services.payer_blocks
import services.phone_numbers
import services.real_names
import services.receipts
import services.registration
import services.registration_forms
import services.retirement_outlook
import services.sign_in
import services.tier_changes
import services.withholding_agreements
from app import create_app
from config.settings import HOME, Settings
from services.errors import BusinessError
from tests.doors import contract

OPERATIONS = contract.operations()


@pytest.fixture
def app():
    return create_app(Settings(), doors=["miniprogram_api"])


def test_the_document_is_sound():
    assert contract.document_faults(contract.the_document()) == []


def test_the_committed_document_is_the_generated_one():
    committed = Path(HOME / "docs" / "reference" / "openapi.json")

    assert json.loads(committed.read_text()) == contract.the_document()


def test_generating_it_warns_of_nothing_and_gives_the_same_twice(app):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = json.dumps(app.spec), json.dumps(app.spec)

    assert first == second


def test_every_route_of_the_api_is_in_it_and_nothing_else(app):
    routes = {
        (method, re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }

    assert {(method, path) for method, path, _ in OPERATIONS.values()} == routes


def test_every_refusal_in_it_is_in_the_house(app):
    from miniprogram_api.errors import DOOR_CODES

    known = (
        set(BusinessError.family) | {code for code, *_ in DOOR_CODES.values()} | {"JSON_TOO_DEEP", "IDEMPOTENCY_KEY_MISSING"}
    )

    assert {code for _, code in contract.promised_pairs()} <= known


def test_operations_are_called_by_names_that_stay():
    """A name in here is in clients' code: add, never rename."""
    assert sorted(OPERATIONS) == [
        "add_insured_person",
        "add_phone",
        "block_payer",
        "cancel_order",
        "change_application",
        "change_tier",
        "check_bank_card",
        "create_account",
        "create_application",
        "create_consent",
        "create_session",
        "create_sms_code",
        "end_session",
        "finish_face_check",
        "hand_in_documents",
        "link_to_document",
        "list_accesses",
        "list_applications",
        "list_bills",
        "list_consents",
        "list_data_requests",
        "list_enrollments",
        "list_insured_persons",
        "list_joint_cases",
        "list_messages",
        "list_notices",
        "list_orders",
        "list_payers",
        "list_regions",
        "list_withholding_agreements",
        "make_data_request",
        "open_counter_check",
        "open_joint_case",
        "open_notice",
        "place_order",
        "print_receipt",
        "print_registration_form",
        "prove_name",
        "read_application",
        "read_application_form",
        "read_counter_check",
        "read_face_check",
        "read_joint_case",
        "read_me",
        "read_menu",
        "read_order",
        "read_own_copy",
        "read_own_data",
        "read_region",
        "read_retirement_outlook",
        "read_withholding_agreement",
        "remove_document",
        "remove_insured_person",
        "remove_phone",
        "set_preferences",
        "show_picture",
        "sign_withholding_agreement",
        "start_face_check",
        "submit_application",
        "take_back_data_request",
        "terminate_withholding_agreement",
        "unblock_payer",
        "upload_document",
        "withdraw_application",
        "withdraw_consent",
        "withdraw_counter_check",
    ]


def test_every_answer_tells_all_its_fields_and_every_question_takes_no_more_than_it_names():
    for name, schema in contract.the_document()["components"]["schemas"].items():
        if name == "Problem":
            continue
        assert schema["additionalProperties"] is False, name
        if name.endswith("Out"):
            assert sorted(schema["required"]) == sorted(schema["properties"]), name


def test_every_creating_post_takes_a_key_and_only_those():
    creating = {
        name
        for name, (_, _, operation) in OPERATIONS.items()
        if any(each["name"] == "Idempotency-Key" and each["required"] for each in operation.get("parameters", ()))
    }
    made = {name for name, (method, _, operation) in OPERATIONS.items() if method == "POST" and "201" in operation["responses"]}

    # These two give a token, which is never told again; the code that buys it is good once.
    assert creating == made - {"create_session", "create_account"}


MODULES = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        services.application_forms,
        services.application_views,
        services.applications,
        services.bank_card_checks,
        services.bills,
        services.consent_withdrawals,
        services.consents,
        services.counter_codes,
        services.document_links,
        services.documents,
        services.enrollments,
        services.face_checks,
        services.real_names,
        services.receipts,
        services.registration_forms,
        services.insured_persons,
        services.joint_cases,
        services.menu,
        services.orders,
        services.own_data,
        services.own_data_requests,
        services.payer_blocks,
        services.phone_numbers,
        services.registration,
        services.retirement_outlook,
        services.sign_in,
        services.tier_changes,
        services.withholding_agreements,
    )
}


def use_cases_of(view) -> list:
    """The use cases that an endpoint calls: functions of a service that take ports."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(view))))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    return [
        getattr(MODULES[call.func.value.id], call.func.attr)
        for call in calls
        if isinstance(call.func.value, ast.Name) and call.func.value.id in MODULES and call.args
        if isinstance(call.args[0], ast.Call)
    ]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_endpoint_promises_what_its_use_case_says_it_refuses(app, operation):
    endpoint = next(name for name in app.view_functions if name.endswith(f".{operation}"))
    view = app.view_functions[endpoint]
    names = {error.__name__ for error in BusinessError.family.values()}
    told = {
        word for use_case in use_cases_of(view) for word in re.findall(r"\b[A-Z]\w+", use_case.__doc__ or "") if word in names
    }

    # Every refusal stands in both places: in the use case for who reads the code, in the contract for who calls it.
    assert told == {error.__name__ for error in view.canbao["fails"]} - set(BY_THE_DOOR.get(operation, ()))


BY_THE_DOOR = {"read_region": ("NotFound",)}
"""Refusals of endpoints that read the rulebook themselves and call no use case."""
