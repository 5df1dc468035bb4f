"""The menu: what stands where, what is alive, and for the rest why not, whom to call and where to go."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, Whole
from miniprogram_api.regions import CounterOut, HotlineOut
from services import menu
from services.errors import NotFound, RegionMismatch

door = APIBlueprint("menu", __name__, tag="Menu")


class MenuAsked(Given):
    region = String(validate=Whole(r"^[0-9]{6}$"), metadata={"description": "地区代码；不填：此小程序的第一个地区"})


class NextStepOut(Schema):
    step = String(required=True, metadata={"description": "CONSENT, REAL_NAME, FACE, WITHOUT_FACE"})
    purpose = String(required=True, allow_none=True, metadata={"description": "要阅读哪一份告知书"})
    title = String(required=True)
    detail = String(required=True)
    without_face = String(required=True, allow_none=True, metadata={"description": "不刷脸的办理方式"})


class MenuEntryOut(Schema):
    code = String(required=True)
    title = String(required=True)
    elder = Boolean(required=True, metadata={"description": "长辈版排在前面"})
    capability = String(required=True, allow_none=True)
    function = String(required=True, allow_none=True)
    available = Boolean(required=True, metadata={"description": "此账户现在能不能办"})
    why_not = String(
        required=True,
        allow_none=True,
        metadata={"description": "NOT_AVAILABLE_ONLINE, COMING_SOON, OTHER_MINIPROGRAM, PROVE_IDENTITY_FIRST, DONE_ALREADY"},
    )
    explanation = String(required=True, allow_none=True)
    consent = String(required=True, allow_none=True, metadata={"description": "办理以前还要同意哪一份告知书"})
    hotline = Nested(HotlineOut, required=True, allow_none=True)
    counter = Nested(CounterOut, required=True, allow_none=True)
    counter_kind = String(
        required=True,
        allow_none=True,
        metadata={"description": "ENTRUSTED_AGENCY 您委托代理的机构，BANK_BRANCH 银行网点，AGENCY 所列窗口"},
    )
    children = List(Nested("MenuEntryOut"), required=True)


class MenuOut(Schema):
    region = String(required=True, metadata={"example": "320400"})
    region_name = String(required=True)
    verified = Boolean(required=True)
    next_step = Nested(NextStepOut, required=True, allow_none=True, metadata={"description": "身份核验的下一步；已核验为空"})
    hint = String(required=True, allow_none=True, metadata={"description": "参保地区与所选地区不同时的提示"})
    entries = List(Nested(MenuEntryOut), required=True)


@door.get("/menu")
@endpoint(door, asks=MenuAsked, returns=MenuOut, fails=[NotFound, RegionMismatch])
def read_menu(asked: dict[str, Any]) -> Any:
    """The menu of a region, as its own source draws it."""
    return menu.read_menu(ports(), account=me(), region_code=asked.get("region"))
