"""The form over HTTP, and the page behind its code: a file for its owner, masked facts for everybody."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import unquote

import pypdf
import pytest
import segno
from prometheus_client import REGISTRY

from services.printout_checks import MISSES_AN_HOUR
from services.printouts import grouped, new_code
from services.registration_forms import PRINTS_A_DAY
from tests.applying import printable
from tests.doors.house import API, House
from tests.doors.stories import GOOD
from tests.services.test_registration_forms import code_on, own_number, words

STREET = "114.114.114.9"
WEB = ("miniprogram_api", "console", "public_pages")


@pytest.fixture
def web(ports, world, clock) -> House:
    """All that the web process serves, over a database of its own."""
    return House(ports=ports, world=world, clock=clock, doors=WEB)


@pytest.fixture
def printed(web):
    """(account, the file, its code)."""
    account, view = printable(web.world)
    response = web.phone(account).get(f"/applications/{view.id}/registration-form")
    assert response.status_code == 200
    return account, response.data, code_on(response.data)


def page(house: House, path: str, *, method: str = "GET", caller: str = STREET, **how):
    return house.app.test_client().open(path, method=method, environ_overrides={"REMOTE_ADDR": caller}, **how)


class Text(HTMLParser):
    """What a page says, without its marks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said: list[str] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.said.append(data.strip())

    def __str__(self) -> str:
        return " ".join(each for each in self.said if each)


# The file.


def test_the_file_comes_as_pdf_that_nobody_keeps_under_a_name_that_names_nobody(house):
    ask = GOOD["print_registration_form"](house)
    response = ask.send(house)

    assert response.mimetype == "application/pdf"
    assert response.headers["Cache-Control"] == "no-store"
    kind, plain, encoded = (part.strip() for part in response.headers["Content-Disposition"].split(";"))
    serial = re.fullmatch(r'filename="registration-form-([0-9A-Z-]+)\.pdf"', plain)[1]
    assert kind == "attachment"
    assert unquote(encoded.removeprefix("filename*=UTF-8''")) == f"常州市劳动事务代理申请登记表-{serial}.pdf"
    assert response.headers["Content-Disposition"].isascii()
    assert serial in words(response.data)


def test_the_code_on_it_is_what_a_scanner_reads_and_leads_to_the_page(web, printed):
    _, pdf, code = printed

    assert squares_of(pdf) == squares_of_code(f"http://127.0.0.1:8000/verify/{code.replace('-', '')}")
    assert page(web, f"/verify/{code.replace('-', '')}").status_code == 200


def squares_of_code(url: str) -> list[list[int]]:
    return [list(row) for row in segno.make(url, error="m", micro=False).matrix]


def squares_of(pdf: bytes) -> list[list[int]]:
    """The QR code's squares, read back from where the file draws them."""
    found = re.findall(
        rb"([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f", pypdf.PdfReader(io.BytesIO(pdf)).pages[0].get_contents().get_data()
    )
    boxes = [tuple(map(float, each)) for each in found]
    side = min(height for _, _, _, height in boxes)
    dark = [each for each in boxes if abs(each[3] - side) < 0.01]
    left, bottom = min(each[0] for each in dark), min(each[1] for each in dark)
    size = round((max(x + width for x, _, width, _ in dark) - left) / side)
    rows = [[0] * size for _ in range(size)]
    for x, y, width, _ in dark:
        for step in range(round(width / side)):
            rows[size - 1 - round((y - bottom) / side)][round((x - left) / side) + step] = 1
    return rows


@pytest.mark.parametrize("how", [{"revoked": True}, {"lives": timedelta(seconds=-1)}])
def test_a_token_that_ended_fetches_nothing(house, how):
    ask = GOOD["print_registration_form"](house)
    token = house.token(ask.account, **how)

    response = house.app.test_client().get(f"{API}{ask.path}", headers={"Authorization": f"Bearer {token}"})

    assert response.json["code"] == "SIGN_IN_AGAIN"


def test_strangers_and_owners_of_other_cases_hear_the_same_as_about_nothing(house):
    ask = GOOD["print_registration_form"](house)
    other = GOOD["print_registration_form"](house)
    nothing = replace(ask, path="/applications/01980000-0000-7000-8000-000000000000/registration-form")

    told = [replace(ask, account=other.account).send(house).json, nothing.send(house).json]

    assert {each["code"] for each in told} == {"NOT_FOUND"}
    assert told[0]["detail"] == told[1]["detail"]


def test_what_the_notice_lacks_is_said_in_facts_that_a_phone_can_act_on(house):
    account, view = printable(house.world, read=False)
    phone = house.phone(account)

    refusal = phone.get(f"/applications/{view.id}/registration-form").json

    (notice,) = [each for each in phone.get("/notices").json["notices"] if each["purpose"] == refusal["purpose"]]
    assert (notice["title"], notice["version"]) == ("劳动事务代理人员须知", refusal["version"])
    menu = str(phone.get("/menu").json)
    assert "'capability': 'PRINT_REGISTRATION_FORM'" in menu
    assert "PRINT_REGISTRATION_FORM" in phone.get("/me").json["capabilities"]


def test_names_and_numbers_stand_in_no_log_line(house):
    account, view = printable(house.world)
    for _ in range(PRINTS_A_DAY + 1):
        house.phone(account).get(f"/applications/{view.id}/registration-form")

    assert own_number(house.world, account) not in house.log.getvalue()
    assert "张三丰" not in house.log.getvalue()


# The page.


def test_whoever_scans_the_code_sees_masked_facts_and_whether_it_holds(web, printed):
    account, pdf, code = printed
    response = page(web, f"/verify/{code.replace('-', '')}")
    said = str(Text(response.get_data(as_text=True)))

    for each in ("有效", "张**", "常州市", "企业职工基本养老保险", "正常参保", "第1版", "2026-11-21 10:00"):
        assert each in said
    assert re.search(r"320400-20261121-[0-9A-Z]{10}", said)[0] in words(pdf)
    for secret in (
        "张三丰",
        own_number(web.world, account),
        own_number(web.world, account)[-4:],
        "13912345678",
        "某某街道",
        code,
    ):
        assert secret not in response.get_data(as_text=True)


def test_a_code_that_is_typed_is_as_good(web, printed):
    assert "有效" in page(web, "/verify", query_string={"code": printed[2].lower()}).get_data(as_text=True)


def test_the_empty_page_asks_for_a_code(web):
    response = page(web, "/verify")

    assert response.status_code == 200
    assert 'name="code"' in response.get_data(as_text=True)
    assert page(web, "/verify?code=").status_code == 200


@pytest.mark.parametrize(
    "path", ["/verify", "/verify/AAAA", "/verify/a/b", "/verify/", "/verify/%00", "/verify?code=%ED%A0%80"]
)
def test_every_answer_of_this_door_is_kept_by_nobody_and_runs_nothing(web, path):
    response = page(web, path)

    assert response.mimetype == "text/html"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "noindex" in response.headers["X-Robots-Tag"]
    assert "Set-Cookie" not in response.headers
    assert "<script" not in response.get_data(as_text=True)


def test_all_wrong_codes_hear_the_same_words(web, printed):
    almost = printed[2][:-1] + ("0" if printed[2][-1] != "0" else "1")
    typed = [new_code(), grouped(new_code()), almost, "1", "é" * 28, "x" * 3000, "<b>&", "' OR 1=1 --"]

    answers = {
        (answer.status_code, answer.get_data())
        for each in typed
        for answer in [page(web, "/verify", query_string={"code": each})]
    }

    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


def test_nothing_that_was_typed_comes_back_on_the_page(web):
    for evil in ("<script>alert(1)</script>", '"><img src=x>', "张三丰"):
        assert evil not in page(web, "/verify", query_string={"code": evil}).get_data(as_text=True)


def test_a_network_that_guesses_is_told_to_wait_and_others_are_not(web, printed):
    code = printed[2].replace("-", "")
    for _ in range(MISSES_AN_HOUR):
        assert page(web, f"/verify/{new_code()}").status_code == 404

    for each in (new_code(), code):
        response = page(web, f"/verify/{each}")
        assert response.status_code == 429
        assert response.headers["Retry-After"] == "3600"
    assert page(web, f"/verify/{code}", caller="114.114.114.10").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_can_only_be_read(web, method):
    assert page(web, "/verify", method=method).status_code == 405


def test_a_look_whether_it_is_there_says_what_a_reading_would(web, printed):
    response = page(web, f"/verify/{printed[2]}", method="HEAD")

    assert (response.status_code, response.data) == (200, b"")


def test_without_a_database_it_asks_for_patience(web, printed):
    web.lose_database()

    response = page(web, f"/verify/{printed[2]}")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "3"
    assert "请稍后再试" in response.get_data(as_text=True)


def test_a_fault_of_ours_says_nothing_of_it(web, printed, monkeypatch):
    def broken(*_, **__):
        raise ValueError("张三丰 320402199001010017")

    monkeypatch.setattr("public_pages.printouts.verify_printout", broken)

    response = page(web, f"/verify/{printed[2]}")

    assert response.status_code == 500
    assert "张三丰" not in response.get_data(as_text=True) + web.log.getvalue()


def test_the_sheet_of_style_is_our_own(web):
    response = page(web, "/verify/static/verify.css")

    assert response.status_code == 200
    assert response.mimetype == "text/css"
    response.close()


def test_the_page_works_alone_and_the_console_beside_it_keeps_its_lock(ports, world, clock):
    alone = House(ports=ports, world=world, clock=clock, doors=("public_pages",))

    assert page(alone, "/verify").status_code == 200
    assert page(alone, "/console/").status_code == 404


def test_what_is_asked_is_counted_by_its_answer(web, printed):
    def counted(result: str) -> float:
        return REGISTRY.get_sample_value("canbao_printouts_verified_total", {"result": result}) or 0

    before = counted("VALID"), counted("PRINTOUT_UNKNOWN")
    page(web, f"/verify/{printed[2]}")
    page(web, f"/verify/{new_code()}")

    assert (counted("VALID"), counted("PRINTOUT_UNKNOWN")) == (before[0] + 1, before[1] + 1)


def test_a_form_whose_region_left_the_rulebook_still_verifies(web, printed):
    from config.rulebook import Rulebook

    regions = {code: region for code, region in web.ports.rulebook.regions.items() if code != "320400"}
    web.swap_ports(rulebook=Rulebook(regions))

    said = page(web, f"/verify/{printed[2]}").get_data(as_text=True)

    assert "有效" in said
    assert "登记表" in said
