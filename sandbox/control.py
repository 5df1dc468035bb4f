"""The sandbox's own API: make users and people, play the payer, ask for misbehaviour, look at what happened. Loopback only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from sandbox import cashier, faces, faults, phone_button, users
from sandbox.replies import came_from_here, is_loopback, read_object

if TYPE_CHECKING:
    from sandbox.core import Core


class BadOrderError(ValueError):
    """The control API was asked for something that makes no sense; its text is the answer."""


def asked() -> dict[str, Any]:
    """Read the JSON body; other content types are refused, so that no web page elsewhere can post a form to us."""
    if not request.get_data(cache=True):
        return {}
    if not request.is_json:
        raise BadOrderError("send JSON with Content-Type: application/json")
    read = read_object(request.get_data(cache=True))
    if read is None:
        raise BadOrderError("send one JSON object")
    return read


def needed(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise BadOrderError(f"{name} is needed, as text")
    return value


def guard() -> Response | None:
    # The Host header too: a page elsewhere could give its own name our address, and ask from inside this machine.
    if came_from_here(request) and is_loopback(request.host.rsplit(":", 1)[0].strip("[]")):
        return None
    answer = jsonify(error="the sandbox is driven from this machine only")
    answer.status_code = 403
    return answer


def complain(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 404 if isinstance(error, LookupError) else 400


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("control", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)
    _people(core, door)
    _codes(core, door)
    _cashiers(core, door)
    _faults(core, door)
    return door


def _people(core: Core, door: Blueprint) -> None:
    @door.post("/users")
    def make_user() -> tuple[Response, int]:
        given = asked()
        made = users.create(
            core,
            app_id=needed(given, "app_id"),
            label=str(given.get("label") or ""),
            real_name=given.get("real_name"),
            phone=given.get("phone"),
        )
        if given.get("platform", made["platform"]) != made["platform"]:
            raise BadOrderError(f"app {made['app_id']} lives on {made['platform']}")
        return jsonify(made), 201

    @door.get("/users")
    def list_users() -> Response:
        return jsonify(users=[users.view(row) for row in core.store.rows("SELECT * FROM users ORDER BY created_at")])

    @door.post("/people")
    def register() -> tuple[Response, int]:
        given = asked()
        users.register_person(
            core.store,
            name=needed(given, "name"),
            id_number=needed(given, "id_number").upper(),
            phone=given.get("phone"),
            bank_card=given.get("bank_card"),
        )
        return jsonify(registered=True), 201

    @door.post("/faces/<reference>")
    def decide_face(reference: str) -> Response:
        given = asked()
        try:
            outcome = faces.Outcome(given.get("outcome", ""))
        except ValueError as error:
            raise BadOrderError(f"outcome must be one of {', '.join(faces.Outcome)}") from error
        check = faces.decide(core, reference, outcome=outcome, code=given.get("code"))
        if check is None:
            raise users.UnknownError(f"no face check {reference}")
        return jsonify(reference=check.reference, kind=check.kind, outcome=check.outcome)

    @door.post("/message-quotas")
    def set_quota() -> tuple[Response, int]:
        given = asked()
        with core.store.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO message_quotas VALUES (?, ?, ?)",
                (needed(given, "subject"), needed(given, "template"), int(given.get("left", 1))),
            )
        return jsonify(set=True), 201


def _codes(core: Core, door: Blueprint) -> None:
    @door.post("/codes")
    def make_code() -> tuple[Response, int]:
        given = asked()
        code = users.make_code(
            core,
            app_id=needed(given, "app_id"),
            user_id=needed(given, "user_id"),
            kind="phone" if given.get("kind") == "phone" else "login",
        )
        return jsonify(code=code), 201

    @door.post("/phone-buttons")
    def press_phone_button() -> tuple[Response, int]:
        given = asked()
        pressed = phone_button.press(
            core,
            app_id=needed(given, "app_id"),
            user_id=needed(given, "user_id"),
            refuse=bool(given.get("refuse")),
        )
        return jsonify(pressed), 201


def _cashiers(core: Core, door: Blueprint) -> None:
    @door.post("/wechat/cashier")
    def wechat_cashier() -> Response:
        return jsonify(cashier.wechat(core, asked()))

    @door.post("/alipay/cashier")
    def alipay_cashier() -> Response:
        return jsonify(cashier.alipay(core, asked()))


def _faults(core: Core, door: Blueprint) -> None:
    @door.post("/faults")
    def ask_for_fault() -> tuple[Response, int]:
        given = asked()
        number = faults.ask_for(
            core.store,
            target=needed(given, "target"),
            fault=needed(given, "fault"),
            value=given.get("value"),
            times=given.get("times"),
            operation=str(given.get("operation") or ""),
        )
        return jsonify(id=number), 201

    @door.get("/faults")
    def list_faults() -> Response:
        return jsonify(faults=faults.listed(core.store), random=core.store.setting("random_faults"))

    @door.delete("/faults")
    def forget_faults() -> Response:
        faults.forget_all(core.store)
        return jsonify(forgotten=True)

    @door.post("/faults/random")
    def ask_at_random() -> tuple[Response, int]:
        given = asked()
        faults.ask_at_random(
            core.store,
            seed=str(given.get("seed", "")),
            rate=float(given.get("rate", 0)),
            faults=list(given.get("faults", [])),
        )
        return jsonify(set=True), 201
