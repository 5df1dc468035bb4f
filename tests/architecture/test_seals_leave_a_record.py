"""What is sealed is opened through the seals alone; and where a person's name or ID number is opened, a row says who did it and why."""

from __future__ import annotations

import ast
import re

import pytest

from models.tables import metadata
from tests.architecture.reading import HOME, functions, modules

SEALED = sorted(
    {column.name for table in metadata.tables.values() for column in table.columns if column.name.endswith("_sealed")}
)
PERSONAL = {"name_sealed", "id_number_sealed", "phone_sealed", "bank_card_sealed"}
"""A person's own data. A platform subject and our own frozen request go to the provider they came from, and no eye sees them."""
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
    unclear = {key: said for key, said in OPENERS.items() if any(word.startswith("?") for word in said)}

    assert not unclear, "write the column's name where it is opened, so that a reader can find every opening"


@pytest.mark.parametrize("key", sorted(key for key, columns in OPENERS.items() if columns & PERSONAL))
def test_whoever_opens_a_name_or_an_id_number_leaves_a_record(key: str):
    source = ast.unparse(functions()[key].node)

    assert "PersonalDataAccess(" in source, f"{key} opens {OPENERS[key] & PERSONAL} and leaves no PersonalDataAccess row"
    for column in OPENERS[key] & PERSONAL:
        assert column.removesuffix("_sealed") in re.search(r"columns=['\"]([^'\"]*)", source)[1].split(",")


def test_somebody_opens_a_name_so_that_this_test_tests_something():
    assert any(columns & PERSONAL for columns in OPENERS.values())


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
    for floor in ("miniprogram_api", "webhooks", "jobs"):
        for path in sorted((HOME / floor).glob("*.py")):
            assert "seals.open" not in path.read_text(), f"{path}: opening belongs to a service, which leaves the record"
