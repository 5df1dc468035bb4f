"""The panel's phones: demo people whose mini-program a visitor may use, one action at a time, through `phone.py`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from flask import Blueprint, Response, jsonify, request

from sandbox.control import BadOrderError, asked, complain, guard
from sandbox.phone import Phone, PhoneRefusedError
from sandbox.remote import Sandbox, SandboxRefusedError
from sandbox.replies import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.core import Core

Told = dict[str, Any]
DONE_BEFORE = {"ALREADY_VERIFIED"}
NEEDED = ("label", "miniprogram", "app_id", "platform", "user_id", "name", "id_number")


@dataclass
class Pocket:
    """One demo person, and the phone once it has been taken out."""

    person: Told
    phone: Phone | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Phones:
    """Keeps one phone for each demo person; a restart means signing in again."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pockets: dict[int, Pocket] = {}
        self._lock = threading.Lock()

    def people(self) -> list[Told]:
        return list(self._core.store.setting("demo_people", []))

    def introduce(self, people: list[Told]) -> None:
        for person in people:
            lacking = [name for name in NEEDED if not person.get(name)]
            if lacking:
                raise BadOrderError(f"a demo person needs {', '.join(lacking)}")
        self._core.store.keep_setting("demo_people", people)
        with self._lock:
            self._pockets.clear()

    def pocket(self, number: int) -> Pocket:
        with self._lock:
            people = self.people()
            if not 0 <= number < len(people):
                raise LookupError(f"there is no demo person {number}")
            return self._pockets.setdefault(number, Pocket(person=people[number]))

    def taken_out(self, pocket: Pocket, own_url: str) -> Phone:
        """The pocket's phone; the caller holds the pocket's lock."""
        if pocket.phone is None:
            wishes = {name: pocket.person[name] for name in ("miniprogram", "app_id", "platform", "user_id")}
            pocket.phone = Phone(self._core.canbao_url, Sandbox(own_url), **wishes)
        return pocket.phone


def _signed_in(phone: Phone) -> Phone:
    if phone.token is None:
        raise BadOrderError("sign in first")
    return phone


def _try(steps: list[Told], name: str, act: Callable[[], object]) -> None:
    """Do one step of moving in; what fails is shown, and does not stop the next."""
    try:
        act()
    except PhoneRefusedError as error:
        why = "：".join(text for text in (error.title, error.detail) if text) or error.code
        steps.append({"step": name, "done": error.code in DONE_BEFORE, "why": why})
    except SandboxRefusedError as error:
        steps.append({"step": name, "done": False, "why": str(error)})
    else:
        steps.append({"step": name, "done": True, "why": ""})


def _add(phone: Phone, other: Told) -> None:
    phone.add_person(other["name"], other["id_number"], relation=other.get("relation"), keep=True)


def sign_in(phone: Phone, person: Told, given: Told) -> Told:
    """Sign in, agree, prove who one is, and name the others one pays for: all that a first visit asks."""
    del given
    phone.sign_in()
    steps: list[Told] = [{"step": "sign_in", "done": True, "why": ""}]
    _try(steps, "consent_to", phone.consent_to)
    _try(steps, "prove_name", partial(phone.prove_name, person["name"], person["id_number"], person.get("phone")))
    _try(steps, "prove_face", phone.prove_face)
    known = len([each for each in phone.people() if not each.get("is_self")])
    for other in person.get("others", [])[known:]:
        _try(steps, "add_person", partial(_add, phone, other))
    return {"steps": steps, **see_bills(phone, person, {})}


def see_bills(phone: Phone, person: Told, given: Told) -> Told:
    """Everybody whom this phone may pay for, with their bills."""
    del person, given
    people = _signed_in(phone).people()
    return {"people": [{**each, "bills": phone.bills(each["id"])} for each in people]}


def order(phone: Phone, person: Told, given: Told) -> Told:
    del person
    placed = _signed_in(phone).order(given["insured_person_id"], list(given.get("bill_ids", [])))
    return {"order": placed}


def pay(phone: Phone, person: Told, given: Told) -> Told:
    del person
    said = _signed_in(phone).pay(
        str(given["order_no"]), str(given.get("outcome", "pay")), faults=list(given.get("faults") or [])
    )
    return {"said": said}


def see_order(phone: Phone, person: Told, given: Told) -> Told:
    del person
    return {"order": _signed_in(phone).see_order(str(given["order_no"]))}


def cancel(phone: Phone, person: Told, given: Told) -> Told:
    del person
    return {"order": _signed_in(phone).cancel(str(given["order_no"]))}


ACTIONS: dict[str, Callable[[Phone, Told, Told], Told]] = {
    "sign_in": sign_in,
    "bills": see_bills,
    "order": order,
    "pay": pay,
    "see_order": see_order,
    "cancel": cancel,
}


def blueprint(core: Core) -> Blueprint:
    door = Blueprint("phones", __name__, url_prefix="/_sandbox")
    door.before_request(guard)
    for kind in (LookupError, ValueError, TypeError):
        door.register_error_handler(kind, complain)
    phones = Phones(core)

    @door.get("/demo-people")
    def list_people() -> Response:
        hidden = ("id_number",)
        people = [{name: value for name, value in each.items() if name not in hidden} for each in phones.people()]
        return jsonify(demo_people=people)

    @door.post("/demo-people")
    def introduce() -> tuple[Response, int]:
        people = read_json(request.get_data(cache=True)) if request.is_json else None
        if isinstance(people, dict):
            people = people.get("demo_people")
        if not isinstance(people, list) or not all(isinstance(each, dict) for each in people):
            raise BadOrderError("send a JSON list of people")
        phones.introduce(people)
        return jsonify(introduced=len(people)), 201

    @door.post("/phone/<int:number>/<action>")
    def act(number: int, action: str) -> tuple[Response, int]:
        return _act(core, phones, number, action)

    return door


def _act(core: Core, phones: Phones, number: int, action: str) -> tuple[Response, int]:
    if action not in ACTIONS:
        raise BadOrderError(f"a phone can {', '.join(ACTIONS)}")
    given, pocket = asked(), phones.pocket(number)
    with pocket.lock:
        phone = phones.taken_out(pocket, f"http://127.0.0.1:{request.environ['SERVER_PORT']}")
        try:
            return jsonify(ACTIONS[action](phone, pocket.person, given)), 200
        except PhoneRefusedError as error:
            return jsonify(error=str(error), problem=error.problem, status=error.status), 409
        except (SandboxRefusedError, KeyError) as error:
            return jsonify(error=str(error)), 409
        except requests.RequestException as error:
            return jsonify(error=f"Canbao does not answer at {core.canbao_url}: {type(error).__name__}"), 502
