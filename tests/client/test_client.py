"""The client for mini-programs covers what the API's document says, both ways; its types and its behaviour hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from client.wire import METHODS, operations, type_of, types

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "client"
DOCUMENT = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = operations(DOCUMENT)
ROW = re.compile(r'^  (\w+): \[((?:"[^"]*"(?:, )?)+)\],$', re.MULTILINE)
NODE, NPM, TSC = shutil.which("node"), shutil.which("npm"), CLIENT / "node_modules" / "typescript" / "bin" / "tsc"


def the_table() -> dict[str, tuple[str, str, set[str]]]:
    """The module's own table: name → method, path, traits."""
    source = (CLIENT / "canbao.js").read_text(encoding="utf-8")
    rows = source.partition("export const OPERATIONS = {\n")[2].partition("\n};\n")[0]
    read = {name: json.loads(f"[{words}]") for name, words in ROW.findall(rows)}
    assert len(read) == len([line for line in rows.splitlines() if line.strip()]), "a row that this test cannot read"
    return {name: (method, path, set(traits)) for name, (method, path, *traits) in read.items()}


TABLE = the_table()


def json_of(content: dict[str, Any]) -> Any:
    return content.get("application/json")


def good(said: dict[str, Any]) -> dict[str, Any]:
    return next(each for number, each in said["responses"].items() if number.startswith("2")).get("content", {})


def test_every_operation_of_the_document_has_a_method_and_no_method_is_unknown():
    assert {name: row[:2] for name, row in TABLE.items()} == {name: each[:2] for name, each in OPERATIONS.items()}


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_special_about_an_operation_is_what_the_document_says(name):
    _, _, traits = TABLE[name]
    said = OPERATIONS[name][2]
    keyed = any(each["name"] == "Idempotency-Key" for each in said.get("parameters", []))
    body, answer = said.get("requestBody", {}).get("content", {}), good(said)

    assert ("keyed" in traits) == keyed
    assert ("open" in traits) == (said["security"] == [])
    assert ("picture" in traits) == bool(body and not json_of(body))
    assert ("bytes" in traits) == bool(answer and not json_of(answer))


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_object_can_hold_path_query_and_body(name):
    method, _, said = OPERATIONS[name]
    named = [(each["name"], each["in"]) for each in said.get("parameters", []) if each["in"] in {"path", "query"}]
    content = json_of(said.get("requestBody", {}).get("content", {}))
    fields = set()
    if content:
        fields = set(DOCUMENT["components"]["schemas"][type_of(content["schema"])].get("properties", {}))

    assert not fields & {each for each, _ in named}
    assert not ({"query"} & {place for _, place in named} and method not in {"GET", "DELETE"})
    assert not (content and method not in {"POST", "PATCH"})


def test_only_a_withdrawal_has_something_to_tell_when_it_is_made_twice():
    """Elsewhere a lost answer to DELETE and a 404 after it are nothing, told once more. See `withdrawConsent` in the client."""
    tell = {name for name, (method, _, said) in OPERATIONS.items() if method == "DELETE" and good(said)}

    assert tell == {"withdrawConsent", "terminateWithholdingAgreement"}


def test_the_types_are_those_of_the_document():
    """`make docs` writes them; a schema that they cannot say is an error, and never `any`."""
    assert (CLIENT / "wire.d.ts").read_text(encoding="utf-8") == types(DOCUMENT), "run: make docs"
    with pytest.raises(ValueError, match="oneOf"):
        type_of({"oneOf": []})


def test_no_method_of_http_is_left_out():
    used = {word for here in DOCUMENT["paths"].values() for word in here}

    assert used <= set(METHODS)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=CLIENT, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.skipif(NODE is None, reason="Node.js is not installed here: the client's behaviour is not tried")
def test_the_client_behaves():
    ran = run("node", "--test", "--test-reporter=tap")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(re.search(r"^# pass (\d+)$", ran.stdout, re.MULTILINE)[1]) >= 18


WRONG = [
    "canbao.readOrder({});",
    "canbao.readOrder({ order_no: 'O1' }).then((order) => order.amount);",
    "canbao.placeOrder({ insured_person_id: 'p', bill_ids: ['b'] });",
    "canbao.payNobody();",
]
"""Each would pass if the types were `any`."""


@pytest.mark.skipif(NODE is None or not TSC.exists(), reason="TypeScript is not installed here: `make client-check` brings it")
def test_the_types_hold_for_the_module_and_the_readmes_example_and_see_every_wrong_call(tmp_path):
    examples = re.findall(r"```js\n(.*?)```", (CLIENT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 2
    for source in ("canbao.js", "wire.d.ts"):
        (tmp_path / source).symlink_to(CLIENT / source)
    (tmp_path / "platforms.d.ts").write_text("declare const wx: any;\ndeclare const show: (...words: any[]) => void;\n")
    (tmp_path / "example.js").write_text("\n".join(examples))
    for number, each in enumerate(WRONG):
        opening = "/** @type {import('./canbao.js').Canbao} */ const canbao = /** @type {any} */ (null);\n"
        (tmp_path / f"wrong_{number}.js").write_text(f"{opening}{each}\nexport {{}};\n")
    files = ["canbao.js", "platforms.d.ts", "example.js", *(f"wrong_{number}.js" for number in range(len(WRONG)))]
    project = json.loads((CLIENT / "tsconfig.json").read_text(encoding="utf-8")) | {"files": files}
    project["compilerOptions"]["noUnusedLocals"] = False  # the example calls nothing
    (tmp_path / "tsconfig.json").write_text(json.dumps(project))

    told = run("node", str(TSC), "--project", str(tmp_path), "--preserveSymlinks").stdout

    found = {Path(each).name for each in re.findall(r"^(\S+?)\(\d+,\d+\): error", told, re.MULTILINE)}
    assert found == {f"wrong_{number}.js" for number in range(len(WRONG))}, told
