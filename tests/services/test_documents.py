"""Documents: one picture of a kind, sealed under a key of its own; nothing half done wherever a process dies; and nothing left lying."""

from __future__ import annotations

import io
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from PIL import Image

from config.seal_file import add_key, retire_key
from config.seals import SealBroken, load_seals
from models.applications import ApplicationDocument, ApplicationState, EnrollmentApplication
from providers.document_store import DocumentStore
from providers.protocols import ProviderUnreachable
from services import documents
from services.account_closing import close_account, lock_account
from services.consent_withdrawals import withdraw_consent
from services.document_errors import (
    DocumentNotAsked,
    DocumentsNotEditable,
    PictureDamaged,
    PictureInfected,
    PictureLost,
    PictureTooLarge,
    TooManyLooks,
    TooManyUploads,
)
from services.document_sweeps import erase_pictures, sweep_orphans
from services.documents import LOOKS_A_DAY, UPLOADS_A_DAY, name_of, open_picture, remove_document, upload_document
from services.errors import ConsentRequired, NotFound, ProviderUnavailable
from services.resealing import reseal
from services.retention import apply_retention
from tests import photographs
from tests.factories import XINJIANG
from tests.providers.fakes import FakeScanner
from tests.together import at_once


@pytest.fixture(autouse=True)
def today(clock):
    """Ids of rows tell the moment of the machine's own clock."""
    clock.set(datetime.now(UTC))


@pytest.fixture
def account(world):
    return world.account()


@pytest.fixture
def application(world, account):
    return world.application(account)


def upload(ports, account, application, kind="ID_FRONT", raw=None):
    given = raw or photographs.photograph()
    return upload_document(ports, account=account, application_id=application.id, kind=kind, body=lambda: given)


def rows(world):
    return world.rows(
        "SELECT kind, live, picture_key_sealed IS NOT NULL, erased_at IS NOT NULL FROM application_documents ORDER BY id"
    )


def live_id(world):
    return world.scalar("SELECT id FROM application_documents WHERE live")


def state_of(ports, application):
    with ports.begin() as session:
        row = session.get_one(EnrollmentApplication, application.id)
        return row.state, row.version


# Coming in.


def test_a_picture_is_kept_sealed_and_only_its_row_can_open_it(world, ports, account, application):
    upload(ports, account, application, raw=photographs.with_place())

    ((name, sealed),) = ports.documents.kept.items()
    assert name == name_of(live_id(world))
    for trace in (b"JFIF", b"Exif", b"CANARY"):
        assert trace not in sealed
    assert rows(world) == [("ID_FRONT", True, True, False)]
    shown = open_picture(ports, document_id=live_id(world), who="S1024")
    assert Image.open(io.BytesIO(shown.content)).size == (1600, 1000)


def test_one_picture_laid_in_the_place_of_another_does_not_open(world, ports, account, application):
    upload(ports, account, application)
    upload(ports, account, application, "ID_BACK", photographs.photograph(seed=1))
    one, two = ports.documents.kept
    ports.documents.kept[one], ports.documents.kept[two] = ports.documents.kept[two], ports.documents.kept[one]

    for (document_id,) in world.rows("SELECT id FROM application_documents"):
        with pytest.raises(SealBroken):
            open_picture(ports, document_id=document_id, who="S1024")


def test_another_picture_takes_the_place_and_the_old_one_cannot_be_opened_any_more(world, ports, account, application):
    upload(ports, account, application)
    first = live_id(world)

    upload(ports, account, application, raw=photographs.photograph(seed=1))

    assert rows(world) == [("ID_FRONT", False, False, False), ("ID_FRONT", True, True, False)]
    with pytest.raises(NotFound):
        open_picture(ports, document_id=first, who="S1024")


def test_the_very_same_picture_again_changes_nothing(world, ports, account, application):
    upload(ports, account, application)
    before, first = state_of(ports, application), live_id(world)

    told = upload(ports, account, application)

    assert (live_id(world), state_of(ports, application)) == (first, before)
    assert (told.width, told.height) == (1600, 1000)


def test_the_same_picture_may_be_two_kinds_of_paper(world, ports, account, application):
    upload(ports, account, application)
    upload(ports, account, application, "ID_BACK")

    assert len(rows(world)) == 2


@pytest.mark.parametrize("change", ["upload", "remove"])
def test_what_was_handed_in_as_complete_is_to_be_looked_at_again(world, ports, account, application, change):
    upload(ports, account, application)
    with ports.begin() as session:
        session.get_one(EnrollmentApplication, application.id).hand_in_documents(who="test", at=ports.now())
    _, version = state_of(ports, application)

    if change == "upload":
        upload(ports, account, application, "ID_BACK")
    else:
        remove_document(ports, account=account, application_id=application.id, kind="ID_FRONT")

    assert state_of(ports, application) == (ApplicationState.DRAFT, version + 1)


@pytest.mark.parametrize("state", ApplicationState)
def test_pictures_come_and_go_only_while_the_application_is_in_the_applicants_hands(world, ports, account, state):
    application = world.application(account, state=state)
    open_to_change = state in ("DRAFT", "DOCUMENTS_READY", "RETURNED")

    if open_to_change:
        upload(ports, account, application)
        remove_document(ports, account=account, application_id=application.id, kind="ID_FRONT")
        assert rows(world) == [("ID_FRONT", False, False, False)]
    else:
        with pytest.raises(DocumentsNotEditable):
            upload(ports, account, application)
        assert not ports.documents.calls


@pytest.mark.parametrize(
    ("asked", "paper", "taken"),
    [
        (("320400", "NEW_ENROLLMENT"), "RESIDENCE_PERMIT", True),
        (("320400", "NEW_ENROLLMENT"), "HUKOU_FIRST_PAGE", True),
        (("320400", "NEW_ENROLLMENT"), "id_front", False),
        (("650000", "NEW_ENROLLMENT"), "HUKOU_SELF_PAGE", True),
        (("650000", "NEW_ENROLLMENT"), "RESIDENCE_PERMIT", False),
        (("650000", "RESUMPTION"), "ID_FRONT", False),
        (("650000", "SUSPENSION"), "ID_FRONT", False),
        (("320400", "SUSPENSION"), "ID_FRONT", False),
    ],
)
def test_the_regions_rulebook_says_which_papers_are_asked_for(world, ports, asked, paper, taken):
    region, kind = asked
    account = world.account(miniprogram=XINJIANG) if region == "650000" else world.account()
    application = world.application(account, region=region, kind=kind)

    if taken:
        assert upload(ports, account, application, paper).kind == paper
    else:
        with pytest.raises(DocumentNotAsked):
            upload(ports, account, application, paper)


def test_another_persons_application_is_not_there(world, ports, application):
    stranger = world.account()
    world.agree(stranger, "DOCUMENTS")

    with pytest.raises(NotFound):
        upload(ports, stranger, application)
    with pytest.raises(NotFound):
        remove_document(ports, account=stranger, application_id=application.id, kind="ID_FRONT")


def test_no_picture_before_its_consent_and_none_after_it_was_taken_back(world, ports, account):
    application = world.application(account, agreed=False)
    with pytest.raises(ConsentRequired):
        upload(ports, account, application)
    (consent,) = world.agree(account, "DOCUMENTS")
    upload(ports, account, application)

    withdraw_consent(ports, account=account, consent_id=consent.id)

    with pytest.raises(ConsentRequired):
        upload(ports, account, application, "ID_BACK")
    remove_document(ports, account=account, application_id=application.id, kind="ID_FRONT")


@pytest.mark.parametrize("change", ["consent", "submission", "closing", "erasing"])
def test_whatever_ends_while_the_picture_travels_is_heeded(world, ports, account, application, change):
    """Between the first question and the row lies a phone's slow line."""

    def meanwhile() -> bytes:
        with ports.begin() as session:
            if change == "closing":
                held = lock_account(session, account=account, now=ports.now())
                close_account(ports, session, account=held, now=ports.now())
            elif change == "submission":
                session.get_one(EnrollmentApplication, application.id).submit(
                    target_at=ports.now(), due_at=ports.now(), is_provisional=False, who="test", at=ports.now()
                )
            elif change == "erasing":
                session.delete(session.get_one(EnrollmentApplication, application.id))
        if change == "consent":
            consent_id = world.scalar("SELECT id FROM consents WHERE account_id = :id", id=account.id)
            withdraw_consent(ports, account=account, consent_id=consent_id)
        return photographs.photograph()

    with pytest.raises((ConsentRequired, DocumentsNotEditable, NotFound)):
        upload_document(ports, account=account, application_id=application.id, kind="ID_FRONT", body=meanwhile)

    assert rows(world) == []
    ports.clock.move(hours=2)
    assert sweep_orphans(ports) == 1
    assert not ports.documents.kept


def test_a_day_has_so_many_uploads_whatever_comes_of_them(world, ports, account, application):
    for _ in range(UPLOADS_A_DAY):
        with pytest.raises(PictureDamaged):
            upload(ports, account, application, raw=photographs.photograph()[:2_000])

    with pytest.raises(TooManyUploads):
        upload(ports, account, application)
    ports.clock.move(days=1)
    upload(ports, account, application)


def test_tries_at_the_same_moment_are_all_counted(world, ports, account, application, monkeypatch):
    monkeypatch.setattr(documents, "UPLOADS_A_DAY", 3)

    answers = at_once(
        *[partial(upload, ports, account, application, "ID_FRONT", photographs.photograph(seed=i)) for i in range(8)]
    )

    assert sum(isinstance(each, TooManyUploads) for each in answers) == 5


def test_two_uploads_of_a_kind_at_once_leave_one_picture_alive(world, ports, account, application):
    at_once(*[partial(upload, ports, account, application, "ID_FRONT", photographs.photograph(seed=i)) for i in range(6)])

    assert world.scalar("SELECT count(*) FROM application_documents WHERE live") == 1
    assert world.scalar("SELECT count(*) FROM application_documents WHERE live AND picture_key_sealed IS NULL") == 0
    erase_pictures(ports)
    assert list(ports.documents.kept) == [name_of(live_id(world))]


# The scanner and the store.


def test_what_the_scanner_lets_pass_says_when(world, ports, account, application):
    house = replace(ports, scanner=FakeScanner())

    upload(house, account, application)

    assert world.scalar("SELECT scanned_at FROM application_documents") is not None
    upload(ports, account, application, "ID_BACK")
    assert world.scalar("SELECT scanned_at FROM application_documents WHERE kind = 'ID_BACK'") is None


def test_the_scanner_sees_the_whole_of_what_was_sent_before_anything_of_ours_looks_inside(ports, account, application):
    scanner = FakeScanner()
    raw = photographs.NOT_PICTURES["a program"] + scanner.virus

    with pytest.raises(PictureInfected):
        upload(replace(ports, scanner=scanner), account, application, raw=raw)

    assert scanner.asked("scan") == [len(raw)]
    assert not ports.documents.calls


def test_a_scanner_that_is_down_lets_nothing_in(world, ports, account, application):
    scanner = FakeScanner(fails=[("scan", ProviderUnreachable("down"))])

    with pytest.raises(ProviderUnavailable) as refusal:
        upload(replace(ports, scanner=scanner), account, application)

    assert refusal.value.retry_after_seconds >= 10
    assert rows(world) == []
    assert not ports.documents.kept


def test_a_store_that_is_down_keeps_nothing_and_loses_nothing(world, ports, account, application):
    upload(ports, account, application)
    first = live_id(world)
    ports.documents.fails.append(("put", ProviderUnreachable("down")))

    with pytest.raises(ProviderUnavailable):
        upload(ports, account, application, raw=photographs.photograph(seed=1))

    assert live_id(world) == first
    open_picture(ports, document_id=first, who="S1024")


@pytest.mark.parametrize("raw", [photographs.png_that_promises(60_000, 60_000), photographs.jpeg_that_promises(65_000, 65_000)])
def test_a_bomb_reaches_neither_store_nor_row(world, ports, account, application, raw):
    with pytest.raises(PictureTooLarge):
        upload(ports, account, application, raw=raw)

    assert rows(world) == []
    assert not ports.documents.calls


def test_a_queue_that_does_not_move_is_told(ports, account, application, monkeypatch):
    monkeypatch.setattr(documents, "WAITS_FOR_ITS_TURN_SECONDS", 0.05)
    for _ in range(documents.DECODED_AT_ONCE):
        documents._turn.acquire()
    try:
        with pytest.raises(ProviderUnavailable):
            upload(ports, account, application)
    finally:
        for _ in range(documents.DECODED_AT_ONCE):
            documents._turn.release()

    upload(ports, account, application)


# Looking.


def test_every_look_of_the_staff_is_on_record_with_their_number(world, ports, account, application):
    upload(ports, account, application)

    open_picture(ports, document_id=live_id(world), who="S1024")
    open_picture(ports, document_id=live_id(world), who="staff:S1025")

    assert world.rows("SELECT subject_table, subject_id, columns, purpose, who FROM personal_data_accesses ORDER BY id") == [
        ("application_documents", live_id(world), "picture_key", "document_look", f"staff:{who}") for who in ("S1024", "S1025")
    ]


def test_the_mark_carries_the_viewers_number(world, ports, account, application, monkeypatch):
    upload(ports, account, application)
    marked = []
    monkeypatch.setattr(documents, "watermark", lambda content, **how: marked.append(how) or content)

    open_picture(ports, document_id=live_id(world), who="S1024")

    assert marked[0]["viewer"] == "S1024"
    assert marked[0]["moment"].startswith(str(ports.today()))


def test_nobody_looks_for_ever(world, ports, account, application, monkeypatch):
    monkeypatch.setattr(documents, "LOOKS_A_DAY", 2)
    upload(ports, account, application)
    look = partial(open_picture, ports, document_id=live_id(world))

    for _ in range(2):
        look(who="S1024")
    with pytest.raises(TooManyLooks):
        look(who="S1024")
    look(who="S1025")
    ports.clock.move(days=1)
    look(who="S1024")
    assert LOOKS_A_DAY > 2


def test_a_picture_that_is_gone_is_told_and_can_be_sent_again(world, ports, account, application):
    upload(ports, account, application)
    ports.documents.kept.clear()

    with pytest.raises(PictureLost):
        open_picture(ports, document_id=live_id(world), who="S1024")

    remove_document(ports, account=account, application_id=application.id, kind="ID_FRONT")
    upload(ports, account, application)
    open_picture(ports, document_id=live_id(world), who="S1024")


def test_no_such_picture_is_not_found(ports):
    with pytest.raises(NotFound):
        open_picture(ports, document_id=uuid.uuid4(), who="S1024")


def test_a_picture_outlives_the_key_that_sealed_it(world, ports, account, application, key_file):
    """The row is sealed anew, and the picture in the store stays where it is."""
    house = replace(ports, seals=load_seals(key_file))
    upload(house, account, application)
    before = dict(ports.documents.kept)

    add_key(key_file, algorithm="AES-256-GCM")
    house.seals.look_again()
    assert reseal_documents(house) == 1
    retire_key(key_file, key_id="k1")
    later = replace(ports, seals=load_seals(key_file))

    open_picture(later, document_id=live_id(world), who="S1024")
    assert ports.documents.kept == before


def reseal_documents(house) -> int:
    """Rows of other tables were sealed with the session's own keys, and stay as they are."""
    before = house.seals.current
    reseal(house)
    with house.begin() as session:
        return sum(row.picture_key_sealed[2 : 2 + len(before)] == before.encode() for row in session.query(ApplicationDocument))


# What is left lying.


class Killed(BaseException):
    """The process is gone."""


def dying(ports, at: int):
    """A house that dies before its `at`-th step that lasts: a commit, or a call of the store. With what it has done by then."""
    steps = iter(range(1, 1_000))

    def die() -> None:
        if next(steps) == at:
            raise Killed

    class Doomed(type(ports)):
        @contextmanager
        def begin(self):
            with super().begin() as session:
                yield session
                session.flush()
                die()
            die()

    class Store:
        def __getattr__(self, name):
            def call(*given):
                die()
                answer = getattr(ports.documents, name)(*given)
                die()
                return answer

            return call

    fields = {name: getattr(ports, name) for name in ports.__dataclass_fields__}
    return Doomed(**{**fields, "documents": Store()})


@pytest.mark.parametrize("at", range(1, 7))
def test_a_death_between_any_two_lines_of_an_upload_leaves_one_whole_picture(world, ports, account, application, at):
    upload(ports, account, application)

    with pytest.raises(Killed):
        upload(dying(ports, at), account, application, raw=photographs.photograph(seed=1))

    open_picture(ports, document_id=live_id(world), who="S1024")
    upload(ports, account, application, raw=photographs.photograph(seed=1))
    assert_at_rest(world, ports)


def test_those_were_all_the_points_of_an_upload(world, ports, account, application):
    upload(ports, account, application)

    upload(dying(ports, 7), account, application, raw=photographs.photograph(seed=1))


@pytest.mark.parametrize("at", range(1, 20))
def test_a_death_anywhere_in_the_sweeps_is_made_good_by_the_next(world, ports, account, application, at):
    for seed in range(3):
        upload(ports, account, application, raw=photographs.photograph(seed=seed))
    ports.documents.kept[name_of(an_old_id())] = b"nobody's"
    doomed = dying(ports, at)

    for sweep in (erase_pictures, sweep_orphans):
        try:
            sweep(doomed)
        except Killed:
            break

    assert_at_rest(world, ports)
    open_picture(ports, document_id=live_id(world), who="S1024")


def an_old_id() -> uuid.UUID:
    """Of a row that was made yesterday."""
    moment = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    return uuid.UUID(int=(moment << 80) | 0x7000 << 64 | uuid.uuid4().int & ((1 << 64) - 1))


def assert_at_rest(world, ports):
    """After the sweeps: for each live row its picture, and nothing else in the store."""
    ports.clock.move(hours=2)
    erase_pictures(ports)
    sweep_orphans(ports)
    lives = world.rows("SELECT id FROM application_documents WHERE live")
    assert sorted(ports.documents.kept) == sorted(name_of(row_id) for (row_id,) in lives)
    assert world.scalar("SELECT count(*) FROM application_documents WHERE NOT live AND erased_at IS NULL") == 0
    assert (erase_pictures(ports), sweep_orphans(ports)) == (0, 0)


def test_an_upload_under_way_is_no_orphan(ports):
    young = name_of(documents.new_id())
    ports.documents.kept[young] = b"its row comes in a moment"

    assert sweep_orphans(ports) == 0
    ports.clock.move(minutes=61)
    assert sweep_orphans(ports) == 1


def test_half_a_write_is_swept_even_beside_its_picture(world, ports, account, application, tmp_path):
    house = replace(ports, documents=DocumentStore(url=(tmp_path / "pictures").as_uri()))
    upload(house, account, application)
    name = name_of(live_id(world))
    (tmp_path / "pictures" / f"{name}.0123abcd.part").write_bytes(b"half")
    house.clock.move(hours=2)

    assert sweep_orphans(house) == 1

    assert house.documents.names(name[:2]) == [name]
    open_picture(house, document_id=live_id(world), who="S1024")


@pytest.mark.parametrize("call", ["names", "delete"])
def test_a_store_that_is_down_stops_a_sweep_and_the_next_one_goes_on(world, ports, account, application, call):
    upload(ports, account, application)
    remove_document(ports, account=account, application_id=application.id, kind="ID_FRONT")
    ports.documents.kept[name_of(an_old_id())] = b"nobody's"
    ports.documents.fails += [(call, ProviderUnreachable("down"))] * 2

    assert (erase_pictures(ports), sweep_orphans(ports)) in [(0, 0), (1, 0)]

    ports.documents.fails.clear()
    assert_at_rest(world, ports)


@pytest.mark.parametrize(
    ("state", "goes"), [("REJECTED", True), ("WITHDRAWN", True), ("APPROVED", False), ("SUBMITTED", False)]
)
def test_pictures_of_an_application_without_a_future_go_after_ninety_days(world, ports, account, state, goes):
    application = world.application(account)
    upload(ports, account, application)
    with ports.begin() as session:
        row = session.get_one(EnrollmentApplication, application.id)
        session.execute(
            EnrollmentApplication.__table__.update().values(
                state=state, submitted_at=ports.now(), decided_by="staff:S1024", decision_reason="OTHER", updated_at=ports.now()
            )
        )
        session.expire(row)
    erase_pictures(ports)
    ports.clock.move(days=89)
    apply_retention(ports)
    erase_pictures(ports)
    assert rows(world) == [("ID_FRONT", True, True, False)]

    ports.clock.move(days=3)
    apply_retention(ports)
    erase_pictures(ports)

    assert rows(world) == ([("ID_FRONT", False, False, True)] if goes else [("ID_FRONT", True, True, False)])
    assert bool(ports.documents.kept) is not goes


def test_pictures_of_an_application_that_is_erased_go_with_it(world, ports, account, application):
    upload(ports, account, application)
    first = live_id(world)
    with ports.begin() as session:
        session.delete(session.get_one(EnrollmentApplication, application.id))

    assert erase_pictures(ports) == 1

    assert not ports.documents.kept
    assert rows(world) == [("ID_FRONT", False, False, True)]
    with pytest.raises(NotFound):
        open_picture(ports, document_id=first, who="S1024")


def test_closing_an_account_takes_the_pictures_of_its_drafts_along(world, ports, account, application):
    upload(ports, account, application)
    with ports.begin() as session:
        close_account(ports, session, account=lock_account(session, account=account, now=ports.now()), now=ports.now())

    erase_pictures(ports)

    assert not ports.documents.kept
