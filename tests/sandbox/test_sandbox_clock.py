"""The clock that is put by hand: notices, bills and signature windows follow it, and the couriers are waited for."""

import gzip
import json
from datetime import datetime, timedelta

import pytest
from sandbox_story import MCHID

from sandbox.core import BEIJING
from sandbox.remote import SandboxRefusedError

HOUR = timedelta(hours=1)


@pytest.fixture
def now():
    return datetime.now(BEIJING)


def test_signatures_are_as_old_as_the_clock_says(wx, remote, now):
    remote.set_clock((now + HOUR).isoformat())

    status, told = wx.query(out_trade_no="SB2026112200000001")

    assert (status, "不得超过5分钟" in told) == (401, True)
    remote.set_clock(None)
    assert wx.query(out_trade_no="SB2026112200000001")[0] == 404


def test_a_late_notice_comes_when_its_time_has_come_and_is_there_when_the_call_is_answered(ali_pay, remote, letterbox, now):
    letterbox.answer = (200, b"success")
    remote.set_clock(now.isoformat())
    remote.misbehave("SB2026112200000001", "late", 3000)
    ali_pay("SB2026112200000001")
    first = remote.set_clock((now + HOUR / 2).isoformat(), deliver=True)
    assert (letterbox.letters, first["undelivered"], first["next_due_at"] is not None) == ([], 0, True)

    told = remote.set_clock((now + HOUR).isoformat(), deliver=True)

    assert (len(letterbox.letters), told["undelivered"], told["next_due_at"]) == (1, 0, None)


def test_what_is_refused_is_due_again_later_and_not_waited_for(ali_pay, remote, letterbox, now):
    remote.set_clock(now.isoformat())
    letterbox.answer = (503, b"")
    ali_pay("SB2026112200000001")

    told = remote.set_clock(now.isoformat(), deliver=True)

    assert told["undelivered"] == 0
    assert datetime.fromisoformat(told["next_due_at"]) > now


def test_what_happened_on_a_day_of_the_clock_stands_in_that_days_bill(wx, remote, now):
    that_day = now - 48 * HOUR
    remote.set_clock(that_day.isoformat())
    paid = remote.stray_payment("wechat_pay", MCHID, 777)
    remote.set_clock(None)

    told = json.loads(wx.trade_bill(that_day.strftime("%Y-%m-%d"))[1])
    status, packed = wx.download_bill(told["download_url"])

    assert status == 200
    assert datetime.fromisoformat(paid["paid_at"]) == that_day.replace(microsecond=0)
    assert paid["provider_no"] in gzip.decompress(packed).decode("utf-8-sig")


def test_aliyuns_clients_are_judged_by_the_machines_clock(remote, sandbox, secrets, now):
    from providers.aliyun import identity
    from providers.aliyun.identity import AliyunNames
    from providers.aliyun.line import AliyunLine
    from providers.protocols import NameVerdict, RealName

    remote.set_clock((now - 400 * HOUR).isoformat())
    remote.register_person("张三", "320402199001010018", phone="13800000000")
    line = AliyunLine(
        package=identity.PACKAGE,
        access_key_id=(secrets / "aliyun-access-key-id.txt").read_text(),
        access_key_secret=(secrets / "aliyun-access-key-secret.txt").read_text(),
        base_url=sandbox.url,
    )

    verdict = AliyunNames(line=line).check(RealName(name="张三", id_number="320402199001010018"), phone="13800000000")

    assert verdict is NameVerdict.MATCH


@pytest.mark.parametrize("wrong", ["tomorrow", "2026-10-01T08:00:00", 5, ["2026"], ""])
def test_a_time_that_is_none_is_refused(remote, wrong):
    with pytest.raises(SandboxRefusedError, match="with its offset"):
        remote.set_clock(wrong)
