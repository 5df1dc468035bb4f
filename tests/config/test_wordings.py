"""Wordings: what a file may say, what stops a start, and how months are told."""

from __future__ import annotations

import pytest

from config.wordings import LONGEST_TITLE, WordingsFault, load_wordings
from models.messages import MessageKey
from services.messages import wordings, words_of

FACTS = {"paid": {"amount", "months"}}
CHINESE = """
language: zh-CN
direction: ltr
months: {one: "{year}年{month}月", range: "{first}至{last}", between: "、"}
messages:
  paid: {title: 已支付, text: "支付{amount}元，{months}。", elder: "交了{amount}元。"}
"""
UYGHUR = "language: ug-CN\ndirection: rtl\nmessages: {}\n"


def load(folder, **files):
    for name, text in {"zh-CN": CHINESE, **files}.items():
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text, encoding="utf-8")
    return load_wordings(FACTS, folder=folder)


def test_every_key_of_ours_has_a_chinese_text_for_everybody_and_one_for_elders():
    for key in MessageKey:
        language, wording = wordings().find(key, language="zh-CN")

        assert language.language == "zh-CN"
        assert len(wording.title) <= LONGEST_TITLE
        assert len(wording.elder) < len(wording.text)
        # An elder is told as much of the money as everybody.
        assert "{amount}" in wording.elder or "amount" not in words_of(key)


def test_a_language_that_is_prepared_pretends_nothing_and_falls_back_whole_on_chinese():
    uyghur = wordings().languages["ug-CN"]

    assert (uyghur.direction, uyghur.messages) == ("rtl", {})
    for key in MessageKey:
        assert wordings().find(key, language="ug-CN")[0].language == "zh-CN"


def test_a_translated_key_is_told_in_its_language_and_the_others_in_chinese(tmp_path):
    translated = (
        "language: ug-CN\ndirection: rtl\n"
        'months: {one: "{year}-{month}", range: "{first}..{last}", between: ", "}\n'
        'messages:\n  paid: {title: t, text: "{amount}", elder: e}\n'
    )
    found = load(tmp_path, ug_CN=translated)

    assert found.find("paid", language="ug-CN")[0].direction == "rtl"
    assert found.find("paid", language="kk-CN")[0].language == "zh-CN"
    assert found.find("unheard", language="ug-CN") is None


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([202611], "2026年11月"),
        ([202611, 202611], "2026年11月"),
        ([202612, 202611, 202701], "2026年11月至2027年1月"),
        ([202601, 202603, 202604], "2026年1月、2026年3月至2026年4月"),
    ],
)
def test_months_are_told_once_in_order_and_as_runs(numbers, words):
    assert wordings().languages["zh-CN"].say_months(numbers) == words


BAD = {
    "an unknown fact": (CHINESE.replace("{amount}元，", "{name}元，"), "messages.paid.text: has no fact name"),
    "a fact reached into": (CHINESE.replace("{months}。", "{months.__class__}"), "has no fact months.__class__"),
    "a fact dressed up": (CHINESE.replace("{amount}元，", "{amount:>99999999}元，"), "has no fact amount"),
    "a brace left open": (CHINESE.replace("{months}。", "{months"), "messages.paid.text"),
    "a fact without a name": (CHINESE.replace("{months}。", "{}"), "has no fact"),
    "a key nobody writes": (f"{CHINESE}  due: {{title: a, text: b, elder: c}}\n", "messages.due: no code writes this key"),
    "a key without a text": (CHINESE.partition("  paid")[0].replace("messages:", "messages: {}"), "messages.paid: the code writes it"),
    "no elder text": (CHINESE.replace(', elder: "交了{amount}元。"', ""), "messages.paid.elder"),
    "a title that no phone shows whole": (CHINESE.replace("已支付", "长" * 21), "messages.paid.title"),
    "another language than its file": (CHINESE.replace("zh-CN", "zh-TW"), "the file's name says zh-CN"),
    "months without words": (CHINESE.replace('months: {one: "{year}年{month}月", range: "{first}至{last}", between: "、"}', ""), "does not say how months are written"),
    "months that name no month": (CHINESE.replace("{year}年{month}月", "{year}年"), "months.one: must name month"),
    "an unknown word of the file": (f"{CHINESE}colour: red\n", "colour"),
    "no YAML": ("a: [", "cannot be read"),
    "no object": ("- a", "zh-CN.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_a_faulty_file_stops_the_start_with_its_name_and_place(tmp_path, why):
    text, told = BAD[why]

    with pytest.raises(WordingsFault) as fault:
        load(tmp_path, **{"zh-CN": text})
    assert told in str(fault.value)
    assert "zh-CN.yaml" in str(fault.value)


def test_a_fault_of_another_language_stops_the_start_too(tmp_path):
    with pytest.raises(WordingsFault, match=r"ug-CN.yaml: messages.paid.text: has no fact sum"):
        load(tmp_path, ug_CN=UYGHUR.replace("messages: {}", 'messages:\n  paid: {title: t, text: "{sum}", elder: e}'))


def test_without_chinese_there_is_no_start(tmp_path):
    (tmp_path / "ug-CN.yaml").write_text(UYGHUR)

    with pytest.raises(WordingsFault, match="falls back"):
        load_wordings(FACTS, folder=tmp_path)
