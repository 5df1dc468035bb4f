"""What is sealed is opened through the seals alone; and a person's own data through one function, which leaves a row that says who and why."""

from __future__ import annotations

import ast
import re

import pytest

from models.tables import metadata
from services.personal_data import NOT_PERSONAL
from tests.architecture.reading import HOME, functions, modules

SEALED = sorted(
    {column.name for table in metadata.tables.values() for column in table.columns if column.name.endswith("_sealed")}
)
PERSONAL = {column for column in SEALED if column.removesuffix("_sealed") not in NOT_PERSONAL}
"""A person's own data. A platform subject and our own frozen request go to the provider they came from, and no eye sees them."""
THE_ONE_WAY = {"personal_data.open_personal", "personal_data._open"}
OPENING = {"open", "open_bytes"}


def opened_in(node: ast.AST) -> set[str]:
    """Sealed columns that a function opens, by the words of its arguments."""
    found = set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in OPENING:
            if "seals" not in ast.unparse(call.func.value):
                continue
            said = " ".join(ast.unparse(each) for each in [*call.args, *[keyword.value for keyword in call.keywords]])
            found |= {column for column in SEALED if re.search(rf"\b{column}\b", said)} or {f"?{said}"}
    return found


OPENERS = {key: opened_in(read.node) for key, read in functions().items() if opened_in(read.node)}


def test_every_opening_names_its_column():
    unclear = {
        key: said for key, said in OPENERS.items() if key not in THE_ONE_WAY and any(word.startswith("?") for word in said)
    }

    assert not unclear, "write the column's name where it is opened, so that a reader can find every opening"


def test_a_persons_own_data_is_opened_in_one_place_alone():
    elsewhere = {key: columns & PERSONAL for key, columns in OPENERS.items() if columns & PERSONAL}

    assert not elsewhere, "call personal_data.open_personal, which leaves the record"
    assert {key for key in OPENERS if key.startswith("personal_data.")} == {"personal_data._open"}
    callers = [key for key, read in functions().items() if any(called == "personal_data._open" for _, called in read.calls)]
    assert callers == ["personal_data.open_personal"]
    assert "PersonalDataAccess(" in ast.unparse(functions()["personal_data.open_personal"].node)


def test_names_and_id_numbers_are_personal_and_somebody_opens_them():
    assert {"name_sealed", "id_number_sealed", "phone_sealed", "wish_sealed"} <= PERSONAL
    assert {column.removesuffix("_sealed") for column in SEALED} >= NOT_PERSONAL
    assert [
        key for key, read in functions().items() if any(called == "personal_data.open_personal" for _, called in read.calls)
    ]


def test_sealed_columns_are_bytes_and_bound_to_their_place():
    for table in metadata.tables.values():
        for column in table.columns:
            if column.name.endswith("_sealed"):
                assert column.type.python_type is bytes, f"{table.name}.{column.name}"
    for key in OPENERS:
        for call in ast.walk(functions()[key].node):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in OPENING
                and "seals" in ast.unparse(call.func)
            ):
                assert any(keyword.arg == "place" for keyword in call.keywords), f"{key}: a seal is bound to its place"


@pytest.mark.parametrize("module", sorted(modules()))
def test_nobody_takes_a_seal_apart_by_hand(module: str):
    """No decrypting beside config/seals.py: keys would be in two hands."""
    source = (HOME / "services" / f"{module}.py").read_text()

    assert "cryptography" not in source
    assert ".decrypt(" not in source


def test_no_door_opens_a_seal():
    for floor in ("miniprogram_api", "webhooks", "console", "public_pages", "jobs"):
        for path in sorted((HOME / floor).glob("*.py")):
            assert "seals.open" not in path.read_text(), f"{path}: opening belongs to a service, which leaves the record"
