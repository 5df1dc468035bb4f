"""Payer blocks: who placed orders for me, and whom I let do so no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Boolean, DateTime, List, Nested, String

from miniprogram_api.auth import endpoint, me, ports
from miniprogram_api.fields import Given, number
from services import payer_blocks
from services.errors import FaceCheckRequired, NotFound

if TYPE_CHECKING:
    import uuid

door = APIBlueprint("payer_blocks", __name__, tag="Payer blocks")


class PayerBlockIn(Given):
    payer_id = number(required=True, metadata={"description": "GET /payer-blocks 给出的编号"})


class PayerOut(Schema):
    payer_id = String(required=True, metadata={"description": "不透明编号，只对本人有效"})
    name = String(required=True, attribute="name_masked", metadata={"description": "已脱敏", "example": "王**"})
    last_order_at = DateTime(required=True, allow_none=True)
    holds_order = Boolean(required=True, metadata={"description": "此刻有一笔未付的订单占着您的月份"})
    has_paid = Boolean(required=True)
    block_id = String(required=True, allow_none=True, metadata={"description": "已拒绝时，用它来撤销"})
    blocked_at = DateTime(required=True, allow_none=True)


class PayersOut(Schema):
    payers = List(Nested(PayerOut), required=True)


# What is answered alone stands above what lists it: APIFlask would otherwise enter its schema twice.
@door.post("/payer-blocks")
@endpoint(door, takes=PayerBlockIn, returns=PayerOut, status=201, fails=[FaceCheckRequired, NotFound], creates=True)
def block_payer(given: dict[str, Any]) -> Any:
    """Let this payer place no further orders for me. Blocking again is the same block."""
    return payer_blocks.block_payer(ports(), account=me(), payer_id=given["payer_id"])


@door.get("/payer-blocks")
@endpoint(door, returns=PayersOut, fails=[FaceCheckRequired])
def list_payers() -> dict[str, Any]:
    """Who placed orders for me in the last year, and whom I blocked."""
    return {"payers": payer_blocks.list_payers(ports(), account=me())}


@door.delete("/payer-blocks/<uuid:block_id>")
@endpoint(door, status=204, fails=[NotFound])
def unblock_payer(block_id: uuid.UUID) -> tuple[str, int]:
    """Let a payer place orders for me again."""
    payer_blocks.unblock_payer(ports(), account=me(), block_id=block_id)
    return "", 204
