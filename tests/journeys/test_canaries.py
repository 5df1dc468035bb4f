"""Canaries: unmistakable people go through everything, well and badly; afterwards no place that is not sealed holds a word of theirs.

Looked at are every log of ours, the metrics, every refusal that a phone or a stranger heard, and each column of each table. The
sandbox is left out: it plays others, and they know these people.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from jobs.stack import Stack
from sandbox.phone import Phone, PhoneRefusedError
from sandbox.remote import Sandbox
from tests.commands import canbao
from tests.factories import an_id_number
from tests.journeys.desk import INVITATION, Desk
from tests.town import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAMES = {
    "wechat": "金丝雀甲",
    "alipay": "金丝雀乙",
    "third": "金丝雀丙",
    "app": "金丝雀戊",
    "counter": "金丝雀己",
    "desk": "金丝雀辛",
}
NUMBERS = {who: an_id_number(400 + at, born="19770707") for at, who in enumerate(NAMES)}
PHONE, CARD = "19977007700", "6228480777700077772"
OTHER_CARD, OTHER_PHONE = "6228480777700077889", "19977007799"
APP = "changzhou-hrss-app"
STAFF = {"S3001": "梧桐", "S3002": "银杏", "S3003": "石榴"}
WISH = "金丝雀甲的姓名应为金丝雀庚"


@dataclass
class Aviary:
    stack: Stack
    sandbox: Sandbox
    canaries: dict[str, str] = field(default_factory=dict)
    """What → the word itself."""
    answers: list[str] = field(default_factory=list)
    """Refusals, whole, with their headers."""

    def hears(self, response: requests.Response) -> None:
        if not response.ok:
            self.answers.append(f"{response.status_code} {dict(response.headers)} {response.text}")

    @contextlib.contextmanager
    def refused(self) -> Iterator[None]:
        with pytest.raises(PhoneRefusedError) as refusal:
            yield
        self.answers.append(json.dumps(refusal.value.problem, ensure_ascii=False))

    def staff(self, *words: str, typed: str | None = None) -> str:
        """One of the staff at the operator's own command; what it says is looked at too."""
        if typed is None:
            done = canbao(self.stack.environment, *words)
        else:
            # As a process, whose input is no terminal: a runner in this process would echo what is typed.
            program = str(Path(sys.executable).with_name("canbao"))
            done = subprocess.run(
                [program, *words], env=self.stack.environment, input=typed, capture_output=True, text=True, check=False
            )
        self.answers.append(said := done.stdout + done.stderr)
        return said

    def phone(self, kind: str) -> Phone:
        program, app_id, _ = PROGRAMS[kind]
        platform = "alipay" if kind == "alipay" else "wechat"
        real_name = {"name": NAMES[kind], "id_number": NUMBERS[kind]} if kind == "alipay" else None
        user = self.sandbox.make_user(app_id, real_name=real_name, phone=PHONE)
        self.canaries[f"{kind}: subject"] = user["subject"]
        phone = Phone(
            self.stack.url("web"), self.sandbox, miniprogram=program, app_id=app_id, platform=platform, user_id=user["user_id"]
        )
        make_code = self.sandbox.make_code

        def noted(*given, **how):
            code = make_code(*given, **how)
            self.canaries[f"{kind}: code {len(self.canaries)}"] = code
            return code

        self.sandbox.make_code = noted
        phone.sign_in()
        self.canaries[f"{kind}: token"] = phone.token
        return phone


@pytest.fixture(scope="module")
def aviary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aviary]:
    folder = tmp_path_factory.mktemp("aviary")
    with Stack.on_free_ports(folder / "state", notice_time_scale=0.05) as stack:
        aviary = Aviary(stack, Sandbox(stack.url("sandbox")))
        for who, name in NAMES.items():
            aviary.canaries |= {f"{who}: name": name, f"{who}: ID number": NUMBERS[who]}
            aviary.sandbox.register_person(name, NUMBERS[who], phone=PHONE, bank_card=CARD if who == "app" else None)
        aviary.canaries |= {
            "phone": PHONE,
            "card": CARD,
            "other card": OTHER_CARD,
            "other phone": OTHER_PHONE,
            "wish": WISH,
        } | keys(stack.state_dir / "secrets")
        feed = folder / "feed.csv"
        month = requests.get(stack.url("web") + "/healthz", timeout=10).headers["Date"]
        year = re.search(r"\d{4}", month)[0]
        rows = ["AAC002,AAC003,AAE140,AAB301,AAC031,AAE030,TIER"]
        rows += [f"{NUMBERS[who]},{name},110,320402,1,{year}01,2" for who, name in NAMES.items()]
        # A row that is refused names its line, not its person.
        rows.append(f"{NUMBERS['third']},金丝雀丁,110,320402,1,{year}01,2")
        feed.write_text("\n".join(rows) + "\n")
        aviary.canaries["clash: name"] = "金丝雀丁"
        aviary.staff("import", "enrollments", str(feed))
        aviary.staff("assess", "--month", this_month())
        yield aviary
        aviary.sandbox.close()


def this_month() -> str:
    from config.clock import SystemClock, beijing_date

    return beijing_date(SystemClock().now()).strftime("%Y-%m")


def keys(folder: Path) -> dict[str, str]:
    """Every secret of ours: the seal keys one by one, and each line of whatever else is in a file."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name == "seal-keys.json":
            file = json.loads(path.read_text())
            found |= {f"seal key {key_id}": entry["key"] for key_id, entry in file["keys"].items()} | {
                "index key": file["index_key"]
            }
        elif path.is_file() and "public" not in path.name and "cert" not in path.name and "platform" not in path.name:
            lines = [line for line in path.read_text(errors="replace").splitlines() if len(line) >= 16 and "-----" not in line]
            found |= {f"{path.name}:{at}": line.strip() for at, line in enumerate(lines)}
    return found


def live(aviary: Aviary) -> None:
    """What people do, well and badly, and what strangers throw at the doors."""
    phone = aviary.phone("wechat")
    with aviary.refused():
        phone.prove_name(NAMES["wechat"], NUMBERS["wechat"], PHONE)
    phone.consent_to()
    with aviary.refused():
        phone.prove_name(NAMES["third"], NUMBERS["wechat"], PHONE)
    aviary.sandbox.misbehave("*", "server_error", times=1)
    with contextlib.suppress(PhoneRefusedError):
        phone.prove_name(NAMES["wechat"], NUMBERS["wechat"], PHONE)
    aviary.sandbox.behave()
    phone.prove_name(NAMES["wechat"], NUMBERS["wechat"], PHONE)
    phone.prove_face("failed")
    phone.prove_face()
    with aviary.refused():
        phone.add_person(NAMES["wechat"], NUMBERS["third"], relation="父亲")
    third = phone.add_person(NAMES["third"], NUMBERS["third"], relation="父亲", keep=True)
    alipay = aviary.phone("alipay")
    me = next(person for person in alipay.people() if person["is_self"])
    for payer, person in ((phone, third), (alipay, me)):
        bill = next(bill for bill in payer.bills(person["id"]) if bill["payable"])
        order = payer.order(person["id"], [bill["id"]])
        payer.pay(order)
        payer.wait_until(order["order_no"], "PAID")
    live_in_the_app(aviary)
    live_at_the_counter(aviary)
    live_at_the_console(aviary)
    live_by_right(aviary, phone)


def live_in_the_app(aviary: Aviary) -> None:
    """A number proven by SMS, a card that is not one's own, and one that is."""
    phone = Phone(aviary.stack.url("web"), aviary.sandbox, miniprogram=APP, app_id=APP, platform="app", user_id="")
    phone.ask_for_code(PHONE)
    aviary.canaries["app: SMS code"] = f" {aviary.sandbox.sms_code(PHONE)} "
    with aviary.refused():
        phone.enter(PHONE)
    phone.enter(PHONE, register=True)
    aviary.canaries["app: token"] = phone.token
    with aviary.refused():
        phone.enter(PHONE)
    phone.consent_to("REAL_NAME", "FACE", "BANK_CARD")
    phone.prove_name(NAMES["app"], NUMBERS["app"])
    phone.prove_face("failed")
    with aviary.refused():
        phone.prove_bank_card(CARD[:-1] + "5", PHONE)
    assert phone.prove_bank_card(OTHER_CARD, PHONE)["state"] == "UNAVAILABLE"
    assert phone.prove_bank_card(CARD, OTHER_PHONE)["state"] == "MISMATCHED"
    aviary.sandbox.misbehave("*", "server_error", times=1)
    phone.prove_bank_card(CARD, PHONE)
    aviary.sandbox.behave()
    assert phone.prove_bank_card(CARD, PHONE)["verification_state"] == "VERIFIED"


def live_at_the_counter(aviary: Aviary) -> None:
    """A name typed wrongly and then rightly, by staff, for somebody whom no camera knows."""
    program, app_id, _ = PROGRAMS["wechat"]
    user = aviary.sandbox.make_user(app_id)
    aviary.canaries["counter: subject"] = user["subject"]
    phone = Phone(
        aviary.stack.url("web"), aviary.sandbox, miniprogram=program, app_id=app_id, platform="wechat", user_id=user["user_id"]
    )
    phone.sign_in()
    phone.consent_to("REAL_NAME")
    number = NUMBERS["counter"]
    attest = ("counter", "attest", "--who", "S1024", "--site", "CHANGZHOU")
    code = phone.counter_code()["code"]
    assert "attested" not in aviary.staff(*attest, typed=f"{code}\n{NAMES['counter']}\n{number[:-1]}\n")
    assert "attested" in aviary.staff(*attest, typed=f"{code}\n{NAMES['counter']}\n{number}\n")
    aviary.staff("counter", "list")
    assert "confirmed" in aviary.staff("counter", "confirm", "--who", "S2048", typed=f"{code}\ny\n")


def live_at_the_console(aviary: Aviary) -> None:
    """Staff come in by their codes, mistype, attest and confirm; an auditor reads who looked. What their pages show is looked at too."""
    url = aviary.stack.url("web")
    codes = {}
    administrator, second_administrator = (
        Desk(url, "S0001", "金丝雀的窗外有一棵老槐树"),
        Desk(url, "S0002", "金丝雀的窗外有两棵老槐树"),
    )
    for desk in (administrator, second_administrator):
        said = aviary.staff("staff", "invite", "--number", desk.number, "--role", "ADMINISTRATOR")
        aviary.answers.remove(said)
        codes[desk.number] = INVITATION.search(said)[0]
        desk.come_in(codes[desk.number])
    first, second, auditor = (Desk(url, number, f"金丝雀的窗外有{tree}和月光") for number, tree in STAFF.items())
    for desk, role in ((first, "REVIEWER"), (second, "SUPERVISOR"), (auditor, "AUDITOR")):
        codes[desk.number] = administrator.invite(desk.number, role, second=second_administrator)
        desk.come_in(codes[desk.number])
    desks = (administrator, second_administrator, first, second, auditor)
    for desk in desks:
        words = {
            "password": desk.password,
            "phone's secret": desk.secret,
            "session": desk.session_token,
            "code": codes[desk.number],
        }
        aviary.canaries |= {f"{desk.number}: {what}": word for what, word in words.items()}
    attest_at_the_console(aviary, first, second)
    assert "金丝雀" not in auditor.get("/audit/accesses?who=staff:")
    for path in ("/audit/moves", "/audit/acts", "/counter", f"/staff/{PHONE}", f"/audit/acts?before={NUMBERS['desk']}"):
        auditor.get(path)
    wrong = Desk(url, "S0001", "")
    wrong.send("/sign-in", "/sign-in", number=first.password, password=first.password, totp_code="000000")
    for desk in (*desks, wrong):
        aviary.answers.extend(desk.seen)


def attest_at_the_console(aviary: Aviary, first: Desk, second: Desk) -> None:
    program, app_id, _ = PROGRAMS["wechat"]
    user = aviary.sandbox.make_user(app_id)
    aviary.canaries["desk: subject"] = user["subject"]
    phone = Phone(first.url, aviary.sandbox, miniprogram=program, app_id=app_id, platform="wechat", user_id=user["user_id"])
    phone.sign_in()
    phone.consent_to("REAL_NAME")
    code = phone.counter_code()["code"]
    form = {"code": code, "name": NAMES["desk"], "id_number": NUMBERS["desk"], "document": "ID_CARD", "site": "CHANGZHOU"}
    for wrong in ({"id_number": NUMBERS["desk"][:-1]}, {"site": NAMES["desk"]}, {"document": NUMBERS["desk"]}):
        assert not first.send("/counter/attestation", "/counter/attestation", **{**form, **wrong}).ok
    assert first.send("/counter/attestation", "/counter/attestation", **form).ok
    assert second.send("/counter/confirmation", "/counter/confirmation", code=code).ok
    second.send("/counter/confirmation", "/counter/decision", code=code, decision=NAMES["desk"])
    assert second.send("/counter/confirmation", "/counter/decision", code=code, decision="CONFIRM").ok
    assert phone.ask("GET", "/identity/counter-checks/current")["verification_state"] == "VERIFIED"


def live_by_right(aviary: Aviary, phone: Phone) -> None:
    """All that one may ask about oneself; the copy itself is for its owner, and not among the refusals."""
    phone.consent_to("PHONE")
    phone.give_phone()
    assert NUMBERS["wechat"] in json.dumps(phone.ask("GET", "/personal-data/copy"))
    for path in ("/personal-data", "/personal-data/accesses", "/messages", "/menu", "/payer-blocks", "/consents", "/me"):
        aviary.answers.append(json.dumps(phone.ask("GET", path), ensure_ascii=False))
    wanted = phone.ask("POST", "/personal-data/requests", {"kind": "CORRECT", "wish": WISH})
    with aviary.refused():
        phone.ask("POST", "/personal-data/requests", {"kind": "CORRECT", "wish": WISH})
    aviary.staff("requests", "list")
    aviary.staff("requests", "answer", wanted["id"], "--refused", "--why", "请携带户口簿到窗口办理。", "--who", "S1024")
    phone.ask("DELETE", "/me/phone")
    for consent in phone.ask("GET", "/consents")["consents"]:
        if consent["purpose"] == "FACE" and not consent.get("withdrawn_at"):
            phone.ask("DELETE", f"/consents/{consent['id']}")
    phone.ask("POST", "/personal-data/requests", {"kind": "DELETE"})
    aviary.staff("retention", "--dry-run")
    aviary.staff("audit", "chain")
    aviary.staff("audit", "verify")


def throw(aviary: Aviary) -> None:
    """Canaries in every wrong place of a request."""
    web, letterbox = aviary.stack.url("web"), aviary.stack.url("letterbox")
    words = [
        NAMES["wechat"],
        NUMBERS["wechat"],
        PHONE,
        CARD,
        *[aviary.canaries[f"{kind}: token"] for kind in ("wechat", "alipay")],
    ]
    session = requests.Session()
    session.trust_env = False
    for word in words:
        body = {"name": word, "id_number": word, "phone": word, "card_number": word, word: word, "deep": {"certName": [word]}}
        headers = {"Authorization": f"Bearer {aviary.canaries['wechat: token']}", "Idempotency-Key": str(uuid.uuid4())}
        stranger = {"Authorization": f"Bearer {word.encode().hex()}"}
        for path in (
            "/identity/real-name",
            "/insured-persons",
            "/payment-orders",
            "/sessions",
            "/accounts",
            "/sms-codes",
            "/me/phone",
            "/identity/bank-card-checks",
            "/identity/counter-checks",
            "/personal-data/requests",
            "/notices/readings",
            f"/payment-orders/{word}/cancel",
        ):
            aviary.hears(session.post(f"{web}/api/v1{path}", json=body, headers=headers, timeout=30))
            aviary.hears(
                session.post(
                    f"{web}/api/v1{path}?name={word}", data=f'{{"name": "{word}"'.encode(), headers=headers, timeout=30
                )
            )
        aviary.hears(session.get(f"{web}/api/v1/{word}?id_number={word}", headers=headers, timeout=30))
        aviary.hears(session.get(f"{web}/api/v1/me", headers=stranger, timeout=30))
        for path in (
            "/webhooks/wechat-pay/jiangsu-tax-wechat",
            "/webhooks/alipay/jiangsu-tax-alipay",
            f"/webhooks/alipay/{word}",
            "/webhooks/identity/aliyun",
            "/webhooks/wechat-messages/jiangsu-tax-wechat",
        ):
            aviary.hears(
                session.post(f"{letterbox}{path}", json=body, headers={"Wechatpay-Signature": word.encode().hex()}, timeout=30)
            )
            aviary.hears(
                session.post(f"{letterbox}{path}", data={"sign": word, "buyer_id": word, "notify_id": word}, timeout=30)
            )
    session.close()


def places(aviary: Aviary) -> Iterator[tuple[str, str]]:
    """(where, all that stands there)."""
    for path in sorted(aviary.stack.logs.iterdir()):
        if path.name != "sandbox.log":
            yield f"log {path.name}", path.read_text(errors="replace")
    for part in ("web", "letterbox", "settle", "worker"):
        yield f"metrics of {part}", requests.get(aviary.stack.url(part) + "/metrics", timeout=10).text
    for path in sorted((aviary.stack.state_dir / "metrics").glob("*/*.db")):
        yield f"metrics file {path.name}", path.read_bytes().decode("utf-8", "replace")
    for at, answer in enumerate(aviary.answers):
        yield f"answer {at}", answer
    url = aviary.stack.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
        ).fetchall()
        assert len(tables) > 25
        for (table,) in tables:
            # A row as text shows every column: texts as they are, bytes in hex.
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t"):  # noqa: S608 - names from the catalogue
                yield f"table {table}", row


def found(aviary: Aviary) -> list[str]:
    """Where a canary sings, and which; never the word itself."""
    # As it is, as bytes in hex, and as JSON and URLs write what is not ASCII.
    shapes = {
        what: {word, word.encode().hex(), json.dumps(word)[1:-1], requests.utils.quote(word)}
        for what, word in aviary.canaries.items()
    }
    seen = []
    for where, text in places(aviary):
        folded = text.casefold()
        seen += [f"{what} in {where}" for what, forms in shapes.items() if any(form.casefold() in folded for form in forms)]
    return sorted(set(seen))


def test_no_canary_sings_anywhere(aviary):
    live(aviary)
    throw(aviary)

    assert len(aviary.canaries) > 20
    assert len(aviary.answers) > 60
    assert found(aviary) == []
    let_some_out(aviary)
    assert set(found(aviary)) == {
        "wechat: name in table moves",
        "phone in table platform_events",
        "third: name in table messages",
        "card in log story.log",
        f"alipay: name in answer {len(aviary.answers) - 1}",
    }, "silence means something only where a canary would be heard"


def let_some_out(aviary: Aviary) -> None:
    """One in a text, one in bytes, one in JSON, one in a log and one in an answer."""
    url = aviary.stack.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO moves (noun, row_id, from_state, to_state, why, who, at) VALUES ('story', '1', 'A', 'B', %s, 'w', now())",
            (f"said {NAMES['wechat']}",),
        )
        connection.execute(
            "INSERT INTO platform_events (id, miniprogram, event_hash, event, received_at) VALUES (gen_random_uuid(), 'm', %s, 'e', now())",
            (PHONE.encode(),),
        )
        connection.execute(
            "INSERT INTO messages (account_id, template, facts, created_at) SELECT id, 't', %s, now() FROM accounts LIMIT 1",
            (json.dumps({"name": NAMES["third"]}),),
        )
    (aviary.stack.logs / "story.log").write_text(f"{CARD}\n")
    aviary.answers.append(json.dumps({"detail": NAMES["alipay"]}))


def test_each_process_tells_prometheus_of_its_own_work(aviary):
    def told(part: str, path: str = "/metrics") -> str:
        answer = requests.get(aviary.stack.url(part) + path, timeout=15)
        assert answer.status_code == 200
        return answer.text

    settle, worker = told("settle"), told("worker")
    assert "\ncanbao_settled_total " in settle
    assert "canbao_house_figures_up" not in settle
    assert "canbao_sweep_done_timestamp_seconds{" not in settle
    assert "\ncanbao_house_figures_up 1.0\n" in worker
    assert 'canbao_sweep_done_timestamp_seconds{sweep="ask_providers"}' in worker
    assert 'canbao_reconciliation_days_due{merchant_account="' in worker
    assert 'canbao_certificate_ends_timestamp_seconds{file="' in worker
    assert told("settle", "/healthz") == told("worker", "/healthz") == "ok\n"
