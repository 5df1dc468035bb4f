"""YAML that says one thing twice is refused, where the library would let the last one win."""

from __future__ import annotations

import pytest
import yaml

from config.retention import SHIPPED, RetentionFault, load_retention
from config.settings import SettingsFault, load_partners
from config.yaml_files import read_yaml


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\na: 2", 2),
        ("a: 1\n'a': 1", 2),
        ("rows:\n- {id: 1, fen: 100, fen: 200}", 2),
        ("a:\n  b: {c: 1}\n  d: 2\n  b: {c: 2}", 4),
        ("a: {<<: {b: 1}}\na: 3", 2),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(tmp_path, text, line):
    (tmp_path / "file.yaml").write_text(text)

    with pytest.raises(yaml.YAMLError, match=rf"stands twice(?s:.*)line {line},"):
        read_yaml(tmp_path / "file.yaml")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a: 1\nb: {a: 2}", {"a": 1, "b": {"a": 2}}),
        ("- {a: 1}\n- {a: 2}", [{"a": 1}, {"a": 2}]),
        ("1: a\n'1': b", {1: "a", "1": "b"}),
        ("x: &x {a: 1, b: 1}\ny: {<<: *x, a: 2}", {"x": {"a": 1, "b": 1}, "y": {"a": 2, "b": 1}}),
        ("", None),
    ],
)
def test_everything_else_is_read_as_yaml_says(tmp_path, text, read):
    (tmp_path / "file.yaml").write_text(text)

    assert read_yaml(tmp_path / "file.yaml") == read


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.getpid []",
        "a: [1",
        "? [a]\n: 1",
        "a: 2026-13-45",
        "a: !!bool maybe",
        "a: !!timestamp soon",
        f"a: {':'.join(['59'] * 200)}.0",
        "[" * 5_000,
    ],
)
def test_what_is_no_plain_data_is_a_fault_of_the_file(tmp_path, text):
    (tmp_path / "file.yaml").write_text(text)

    with pytest.raises(yaml.YAMLError):
        read_yaml(tmp_path / "file.yaml")


def test_a_merchant_or_a_term_that_stands_twice_stops_the_start(tmp_path):
    twice = tmp_path / "miniprograms.yaml"
    twice.write_text("merchants: {}\nmerchants: {}\n")
    with pytest.raises(SettingsFault, match="merchants stands twice"):
        load_partners(twice)

    doubled = tmp_path / SHIPPED.name
    rows = SHIPPED.read_text(encoding="utf-8")
    doubled.write_text(rows.replace("{policy: sms-codes,", "{policy: sms-codes, keep_days: 1,"), encoding="utf-8")
    with pytest.raises(RetentionFault, match="stands twice"):
        load_retention(doubled)
