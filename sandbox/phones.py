"""Whose phone a visitor may take into the hand: demo people, and what each is to a platform once a mini-program was opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from sandbox import users
from sandbox.control import BadOrderError, asked, complain, guard, needed
from sandbox.replies import read_json

if TYPE_CHECKING:
    from sandbox.core import Core

Told = dict[str, Any]
NEEDED = ("label", "name", "id_number")


def people(core: Core) -> list[Told]:
    return list(core.store.setting("demo_people", []))


def introduce(core: Core, given: list[Told]) -> None:
    for person in given:
        lacking = [name for name in NEEDED if not person.get(name)]
        if lacking:
            raise BadOrderError(f"a demo person needs {', '.join(lacking)}")
    core.store.keep_setting("demo_people", given)


def user_of(core: Core, number: int, app_id: str) -> Told:
    """The user that this person is under this app: made when they open it first, the same ever after. Raises UnknownError."""
    known = people(core)
    if not 0 <= number < len(known):
        raise users.UnknownError(f"there is no demo person {number}")
    person = known[number]
    row = core.store.row(
        "SELECT * FROM users WHERE app_id = ? AND label = ? ORDER BY created_at DESC LIMIT 1", app_id, person["label"]
    )
    if row is not None:
        return users.view(row)
    app = core.world.apps.get(app_id)
    is_real_named = app is not None and app.platform == "alipay"
    return users.create(
        core,
        app_id=app_id,
        label=person["label"],
        real_name={"name": person["name"], "id_number": person["id_number"]} if is_real_named else None,
        phone=person.get("phone"),
    )


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("phones", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)

    @door.get("/demo-people")
    def list_people() -> Response:
        return jsonify(demo_people=people(core))

    @door.post("/demo-people")
    def introduce_people() -> tuple[Response, int]:
        given = read_json(request.get_data(cache=True)) if request.is_json else None
        if isinstance(given, dict):
            given = given.get("demo_people")
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            raise BadOrderError("send a JSON list of people")
        introduce(core, given)
        return jsonify(introduced=len(given)), 201

    @door.post("/demo-people/<int:number>/users")
    def open_app(number: int) -> Response:
        return jsonify(user_of(core, number, needed(asked(), "app_id")))

    return door
