"""Staff: an administrator invites, locks, unlocks and lets go; two of them replace a lost phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import request

from console import words
from console.pages import ADMINISTRATORS, field, go, me, origin, page, ports, show, show_again
from models.staff import StaffRole, StaffState
from services import staff, staff_resets
from services.errors import BusinessError
from services.staff import Scope, covers, scope_name

if TYPE_CHECKING:
    from services.ports import Ports
    from services.staff import Invitation, StaffView

NUMBER: Final = "/staff/<string(minlength=2,maxlength=16):number>"
DONE: Final = {
    "proposed": "已提交邀请，请另一位系统管理员核实后签发开通码。",
    "locked": "已锁定，对方已被退出登录。",
    "unlocked": "已解锁。",
    "left": "已办理离岗，密码和验证器已清除。",
    "reset_asked": "已提交重置申请，请另一位系统管理员在24小时内确认。",
    "reset_refused": "已撤销重置申请。",
}


def scope_of_number(ports: Ports, *, number: str) -> Scope:
    """Raises NotFound."""
    return staff.read_staff(ports, number=number).scope


def waiting(ports: Ports, by: StaffView) -> int:
    """Resets, and invitations of others that have no code yet."""
    return len(staff_resets.list_resets(ports, by=by)) + len(staff.list_proposed(ports, by=by))


@page("/staff", roles=ADMINISTRATORS, nav="人员管理", waiting=waiting)
def list_staff() -> str:
    state = request.args.get("state", "")
    known = state if state in set(StaffState) else None
    return show("staff_list.html", members=staff.list_staff(ports(), by=me(), state=known), state=known or "", done=_done())


@page("/staff/new", roles=ADMINISTRATORS)
def invite_form() -> str:
    return show("staff_invite.html", given={"number": "", "roles": [], "scope": ""}, scopes=_scopes())


@page("/staff", roles=ADMINISTRATORS, methods=("POST",))
def invite() -> Any:
    region, _, agency = field("scope").partition("/")
    given = {"number": field("number"), "roles": request.form.getlist("roles"), "scope": field("scope")}
    try:
        staff.propose(
            ports(),
            number=field("number"),
            roles=request.form.getlist("roles"),
            scope=Scope(region=region or None, agency=agency or None),
            by=me(),
            origin=origin(),
        )
    except BusinessError as fault:
        return show_again("staff_invite.html", fault, given=given, scopes=_scopes())
    return go("list_staff", done="proposed")


@page(NUMBER, roles=ADMINISTRATORS, scope=scope_of_number)
def read_staff(number: str) -> str:
    member = staff.read_staff(ports(), number=number)
    waiting = [each for each in staff_resets.list_resets(ports(), by=me()) if each.number == number]
    return show("staff_member.html", member=member, reset=waiting[0] if waiting else None, done=_done())


@page(f"{NUMBER}/code", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def issue_code(number: str) -> Any:
    return _handed_over(staff.issue_code(ports(), number=number, by=me(), origin=origin()))


@page(f"{NUMBER}/lock", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def lock(number: str) -> Any:
    staff.lock(ports(), number=number, by=me(), origin=origin())
    return go("read_staff", number=number, done="locked")


@page(f"{NUMBER}/unlock", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def unlock(number: str) -> Any:
    staff.unlock(ports(), number=number, by=me(), origin=origin())
    return go("read_staff", number=number, done="unlocked")


@page(f"{NUMBER}/leave", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def leave(number: str) -> Any:
    staff.leave(ports(), number=number, by=me(), origin=origin())
    return go("read_staff", number=number, done="left")


@page(f"{NUMBER}/reset", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def ask_reset(number: str) -> Any:
    staff_resets.ask_reset(ports(), number=number, by=me(), origin=origin())
    return go("read_staff", number=number, done="reset_asked")


@page(f"{NUMBER}/reset/confirmation", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def confirm_reset(number: str) -> Any:
    return _handed_over(staff_resets.confirm_reset(ports(), number=number, by=me(), origin=origin()))


@page(f"{NUMBER}/reset/refusal", roles=ADMINISTRATORS, methods=("POST",), scope=scope_of_number)
def refuse_reset(number: str) -> Any:
    staff_resets.refuse_reset(ports(), number=number, by=me(), origin=origin())
    return go("read_staff", number=number, done="reset_refused")


def _handed_over(invitation: Invitation) -> str:
    # Shown in the answer itself: a page that can be asked for again would show it to whoever asks.
    return show("staff_invited.html", invitation=invitation)


def _done() -> str | None:
    return DONE.get(request.args.get("done", ""))


def _scopes() -> list[tuple[str, str]]:
    """Value and words of every scope that this administrator may give."""
    scopes = [Scope()]
    for code, region in sorted(staff.known_regions(ports()).items()):
        scopes.append(Scope(region=code))
        scopes += [Scope(region=code, agency=agency) for agency in region.agencies]
    return [
        ("/".join(filter(None, (each.region, each.agency))), scope_name(ports(), each))
        for each in scopes
        if covers(ports(), me().scope, each)
    ]


ROLES: Final = [(role, words.ROLES[role], words.ROLE_HINTS[role]) for role in StaffRole]
