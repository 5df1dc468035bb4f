"""The door that takes pictures: what it reads and when it stops, what it shows and to whom."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image
from prometheus_client import REGISTRY
from sqlalchemy import text

from providers.protocols import ProviderUnreachable
from services.document_links import SAID
from services.pictures import MOST_BYTES
from tests import photographs
from tests.doors.house import API
from tests.doors.stories import a_kept_photograph, a_photograph, link_to_document, show_picture, submitted, upload_document
from tests.providers.fakes import FakeScanner


class Endless:
    """A body as a server's stream tells it: counts what is read of it."""

    def __init__(self, length: int) -> None:
        self.left, self.read_bytes = length, 0

    def read(self, size: int = -1) -> bytes:
        piece = min(self.left, 65_536 if size is None or size < 0 else size)
        self.left, self.read_bytes = self.left - piece, self.read_bytes + piece
        return b"\xff" * piece

    def readinto(self, buffer: bytearray) -> int:
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    readline = read


def put_stream(house, ask, body: Endless, **environ):
    return house.app.test_client().put(
        f"{API}{ask.path}",
        headers={"Authorization": f"Bearer {house.token(ask.account)}"},
        content_type="image/jpeg",
        environ_overrides={"wsgi.input": body, **environ},
    )


def counted(result: str) -> float:
    return REGISTRY.get_sample_value("canbao_pictures_total", {"result": result}) or 0


# What comes in.


def test_a_hundred_megabytes_that_are_announced_are_refused_unread(house):
    ask, body = upload_document(house), Endless(100 * 1024 * 1024)
    before = house.row_counts()

    response = put_stream(house, ask, body, CONTENT_LENGTH=str(100 * 1024 * 1024))

    assert (response.status_code, response.json["code"]) == (413, "REQUEST_TOO_LARGE")
    assert "8MB" in response.json["detail"]
    assert body.read_bytes == 0
    assert house.row_counts() == before


def test_a_hundred_megabytes_in_chunks_are_read_to_the_limit_and_no_further(house):
    ask, body = upload_document(house), Endless(100 * 1024 * 1024)
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    tracemalloc.start()
    try:
        response = put_stream(house, ask, body, **chunked)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert (response.status_code, response.json["code"]) == (413, "REQUEST_TOO_LARGE")
    assert body.read_bytes <= MOST_BYTES + 65_536
    assert most < 4 * MOST_BYTES
    assert not house.ports.documents.kept


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(("length", "status"), [(MOST_BYTES, 200), (MOST_BYTES + 1, 413), (MOST_BYTES + 2, 413)])
def test_the_limit_holds_to_the_byte_however_the_length_is_told(house, chunked, length, status):
    ask = upload_document(house)
    raw = ask.raw + bytes(length - len(ask.raw))
    unsaid = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    response = house.app.test_client().put(
        f"{API}{ask.path}",
        data=raw,
        headers={"Authorization": f"Bearer {house.token(ask.account)}"},
        environ_overrides=unsaid if chunked else {},
    )

    assert response.status_code == status


def test_no_stranger_makes_us_read_a_byte(house):
    ask, body = upload_document(house), Endless(1_000_000)

    for strange in ({}, {"Authorization": "Bearer " + "A" * 43}):
        response = house.app.test_client().put(
            f"{API}{ask.path}",
            headers=strange,
            environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": "1000000"},
        )
        assert response.json["code"] == "SIGN_IN_AGAIN"

    assert body.read_bytes == 0


@pytest.mark.parametrize("how", [{"state": "SUBMITTED"}, {"kind": "NO_SUCH_PAPER"}, {"agreed": False}])
def test_what_may_not_come_is_not_read(house, how):
    ask, body = a_photograph(house, **how), Endless(1_000_000)

    response = put_stream(house, ask, body, CONTENT_LENGTH="1000000")

    assert response.status_code in (403, 409)
    assert body.read_bytes == 0


def test_every_other_door_keeps_its_sixty_four_kilobytes(house):
    ask = upload_document(house)

    response = house.phone(ask.account).patch("/me/preferences", raw=b" " * 70_000)

    assert response.json["code"] == "REQUEST_TOO_LARGE"


def test_half_a_body_is_malformed_and_keeps_nothing(house):
    class Torn(Endless):
        def read(self, size: int = -1) -> bytes:
            raise OSError("chunk without an end")

        readinto = readline = read

    response = put_stream(house, upload_document(house), Torn(0), CONTENT_LENGTH="1000")

    assert response.json["code"] == "REQUEST_MALFORMED"
    assert not house.ports.documents.kept


@pytest.mark.parametrize("said", ["image/jpeg", "image/png", "application/json", "text/html", "application/octet-stream", None])
def test_the_type_is_read_from_the_bytes_whatever_is_said(house, said):
    ask = upload_document(house)
    phone = house.phone(ask.account)

    assert phone.ask("PUT", ask.path, raw=photographs.photograph(form="PNG"), content_type=said).status_code == 200
    refused = phone.ask("PUT", ask.path, raw=photographs.NOT_PICTURES["a page of HTML"], content_type=said)
    assert refused.json["code"] == "PICTURE_NOT_ACCEPTED"


def test_a_poor_photograph_is_kept_and_says_how_to_take_a_better_one(house):
    ask = a_photograph(house, raw=photographs.as_bytes(photographs.page(blur=6)))

    told = ask.send(house).json

    assert [each["code"] for each in told["advice"]] == ["BLURRED"]
    assert "重拍" in told["advice"][0]["text"]


def test_an_infected_file_is_refused_and_counted(house):
    scanner = FakeScanner()
    house.swap_ports(scanner=scanner)
    ask = a_photograph(house, raw=photographs.photograph() + scanner.virus)
    before = counted("PICTURE_INFECTED")

    assert ask.send(house).json["code"] == "PICTURE_INFECTED"

    assert counted("PICTURE_INFECTED") == before + 1
    assert not house.ports.documents.kept


def test_while_the_scanner_is_down_nothing_comes_in_and_the_phone_hears_when_to_try_again(house):
    scanner = FakeScanner(fails=[("scan", ProviderUnreachable("down"))])
    house.swap_ports(scanner=scanner)
    ask = upload_document(house)

    refused = ask.send(house)

    assert (refused.status_code, refused.json["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert "没有保存" in refused.json["detail"]
    assert int(refused.headers["Retry-After"]) >= 10
    assert not house.ports.documents.kept
    assert ask.send(house).status_code == 200


def test_nothing_of_a_picture_and_no_path_is_in_the_log(house):
    ask = a_photograph(house, raw=photographs.with_place())
    assert ask.send(house).status_code == 200
    url = house.phone(ask.account).get(ask.path).json["url"]
    assert house.phone().get(url.removeprefix(API)).status_code == 200
    house.ports.documents.fails.append(("fetch", ProviderUnreachable("document store: fetch: OSError")))
    assert house.phone().get(url.removeprefix(API)).status_code == 503

    told = house.log.getvalue()

    assert "CANARY" not in told
    assert url.rpartition("/")[2] not in told, "whoever has the link can look"


# What is shown.


def test_a_link_shows_the_picture_under_a_mark_to_whoever_brings_it(house):
    ask = show_picture(house)

    response = ask.send(house)

    assert response.mimetype == "image/jpeg"
    assert Image.open(io.BytesIO(response.data)).size == (1600, 1000)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_a_link_lasts_five_minutes_and_not_a_second_more(house):
    ask = show_picture(house)

    house.clock.move(minutes=4, seconds=59)
    assert ask.send(house).status_code == 200
    house.clock.move(seconds=1)
    assert ask.send(house).json["code"] == "PICTURE_LINK_ENDED"
    house.clock.move(days=400)
    assert ask.send(house).json["code"] == "PICTURE_LINK_ENDED"


def test_a_link_that_was_altered_anywhere_is_over(house):
    ask = show_picture(house)
    ticket = ask.path.rpartition("/")[2]
    raw = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))

    altered = [raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :] for at in range(len(raw))]
    told = {
        house.phone().get(f"/pictures/{base64.urlsafe_b64encode(each).decode().rstrip('=')}").json["code"] for each in altered
    }

    assert told == {"PICTURE_LINK_ENDED"}


@pytest.mark.parametrize("ticket", ["x", "A" * 96, "A" * 5000, "%00", "%F0%9F%98%80", "..", "=", "A" * 97, "-_-_"])
def test_nonsense_is_no_link(house, ticket):
    response = house.app.test_client().get(f"{API}/pictures/{ticket}")

    assert response.status_code == 404


def test_a_longer_life_or_another_picture_cannot_be_written_into_a_link(house):
    mine, theirs = link_to_document(house), link_to_document(house)
    tickets = [each.send(house).json["url"].rpartition("/")[2] for each in (mine, theirs)]
    said = [SAID.unpack(base64.urlsafe_b64decode(each + "=" * (-len(each) % 4))[: SAID.size]) for each in tickets]
    signatures = [base64.urlsafe_b64decode(each + "=" * (-len(each) % 4))[SAID.size :] for each in tickets]

    forged = [
        SAID.pack(said[1][0], said[0][1], said[0][2]) + signatures[0],
        SAID.pack(said[0][0], said[1][1], said[0][2]) + signatures[0],
        SAID.pack(said[0][0], said[0][1], said[0][2] + 3600) + signatures[0],
        SAID.pack(*said[0]) + signatures[1],
        SAID.pack(*said[0]),
        SAID.pack(*said[0]) + signatures[0] + b"more",
    ]

    for each in forged:
        ticket = base64.urlsafe_b64encode(each).decode().rstrip("=")
        assert house.phone().get(f"/pictures/{ticket}").json["code"] == "PICTURE_LINK_ENDED"


def test_nobody_gets_a_link_to_another_persons_picture(house):
    ask, stranger = link_to_document(house), house.world.account()

    assert replace(ask, account=stranger).send(house).json["code"] == "NOT_FOUND"


def test_a_link_ends_with_its_picture_and_with_its_account(house):
    removed, replaced, closed = (show_and_ask(house) for _ in range(3))
    house.phone(removed[0].account).delete(removed[0].path)
    replace(replaced[0], raw=photographs.photograph(seed=7)).send(house)
    with house.ports.begin() as session:
        session.execute(text("UPDATE accounts SET closed_at = now() WHERE id = :id"), {"id": closed[0].account.id})

    for _, url in (removed, replaced, closed):
        assert house.phone().get(url).json["code"] == "PICTURE_LINK_ENDED"


def show_and_ask(house):
    ask = a_kept_photograph(house)
    return ask, house.phone(ask.account).get(ask.path).json["url"].removeprefix(API)


def test_every_look_is_on_record_and_the_person_reads_it(house):
    ask, url = show_and_ask(house)
    for _ in range(2):
        assert house.phone().get(url).status_code == 200

    told = house.phone(ask.account).get("/personal-data/accesses").json["accesses"]

    assert [(each["what"], each["why"], each["who"]) for each in told] == [("材料照片", "查看申请材料的照片", "本人")] * 2


def test_a_submitted_application_still_shows_its_pictures(house):
    ask, url = show_and_ask(house)
    submitted(house, ask)

    assert house.phone().get(url).status_code == 200
    assert house.phone(ask.account).get(ask.path).status_code == 200


def test_the_link_says_when_it_ends(house):
    told = json.loads(link_to_document(house).send(house).data)

    assert told["url"].startswith(f"{API}/pictures/")
    assert told["expires_at"] == (house.clock.now() + timedelta(minutes=5)).isoformat()
