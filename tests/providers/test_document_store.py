"""One contract for every store of pictures: a folder on this machine, and S3 as moto's server plays it on loopback."""

from __future__ import annotations

import os
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from providers.document_store import DocumentStore, DocumentStoreFault
from providers.protocols import ProviderUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {"key": "test", "secret": "test"}


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_store(s3_address) -> Iterator[DocumentStore]:
    store = s3(s3_address, f"bucket-{uuid.uuid4().hex}")
    store._fs.mkdir(store._root.partition("/")[0])
    yield store
    store.close()


def s3(address: str, bucket: str) -> DocumentStore:
    return DocumentStore(url=f"s3://{bucket}/pictures", options={**KEYS, "endpoint_url": address})


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path) -> DocumentStore:
    if request.param == "s3":
        return request.getfixturevalue("s3_store")
    return DocumentStore(url=(tmp_path / "pictures").as_uri())


def a_name() -> str:
    row = uuid.uuid4()
    return f"{row.hex[-2:]}/{row}"


def test_what_was_put_is_fetched_whole(store):
    name, content = a_name(), os.urandom(3_000_000)

    store.put(name, content)

    assert store.fetch(name) == content


def test_what_was_never_put_is_not_there(store):
    store.put(a_name(), b"another")

    assert store.fetch(a_name()) is None


def test_putting_again_replaces(store):
    name = a_name()

    store.put(name, b"first")
    store.put(name, b"second")

    assert store.fetch(name) == b"second"
    assert store.names(name[:2]) == [name]


def test_deleting_is_done_once_and_again(store):
    name = a_name()
    store.put(name, b"content")

    store.delete(name)
    store.delete(name)

    assert store.fetch(name) is None
    assert store.names(name[:2]) == []


def test_names_are_listed_shard_by_shard_and_as_they_are_now(store):
    mine = sorted(f"ab/{uuid.uuid4()}" for _ in range(3))
    for name in mine:
        assert name not in store.names("ab")
        store.put(name, b"content")
        assert name in store.names("ab")
    store.put(f"cd/{uuid.uuid4()}", b"content")

    assert store.names("ab") == mine
    assert store.names("00") == []


def test_many_at_once_do_not_mix(store):
    names = [a_name() for _ in range(12)]
    threads = [threading.Thread(target=store.put, args=(name, name.encode() * 1000)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [store.fetch(name) for name in names] == [name.encode() * 1000 for name in names]


@pytest.mark.parametrize(
    "name", ["../secrets", "ab/../../x", "/etc/passwd", "ab", "", "AB/" + "0" * 36, "ab/x y", "ab/" + "0" * 36 + "\n"]
)
def test_a_name_that_is_none_of_ours_is_never_touched(store, name):
    for call in (lambda: store.put(name, b"x"), lambda: store.fetch(name), lambda: store.delete(name)):
        with pytest.raises(ValueError, match="no name"):
            call()
    with pytest.raises(ValueError, match="hexadecimal"):
        store.names(name[:2] + "/..")


# A folder.


def test_a_folder_is_for_its_owner_alone(tmp_path):
    store, name = DocumentStore(url=(tmp_path / "pictures").as_uri()), a_name()

    store.put(name, b"content")

    file = tmp_path / "pictures" / name
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_leaves_nothing_half_done(tmp_path, monkeypatch):
    store, name = DocumentStore(url=(tmp_path / "pictures").as_uri()), a_name()
    store.put(name, b"before")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ProviderUnreachable):
        store.put(name, b"after")
    monkeypatch.undo()

    assert store.fetch(name) == b"before"
    assert store.names(name[:2]) == [name], "no part is left"


def test_what_a_killed_writer_left_is_listed_and_can_be_deleted(tmp_path):
    store, name = DocumentStore(url=(tmp_path / "pictures").as_uri()), a_name()
    store.put(name, b"content")
    part = f"{name}.0123abcd.part"
    (tmp_path / "pictures" / part).write_bytes(b"con")

    assert store.names(name[:2]) == sorted([name, part])
    store.delete(part)
    assert store.names(name[:2]) == [name]


def test_somebody_elses_file_is_not_listed(tmp_path):
    store, name = DocumentStore(url=(tmp_path / "pictures").as_uri()), a_name()
    store.put(name, b"content")
    (tmp_path / "pictures" / name[:2] / "README").write_text("kept by hand")

    assert store.names(name[:2]) == [name]


def test_a_store_that_is_gone_is_no_lost_picture(tmp_path):
    """A disk that is not mounted must not look like a picture that nobody has."""
    store = DocumentStore(url=(tmp_path / "not-mounted").as_uri())

    with pytest.raises(ProviderUnreachable):
        store.fetch(a_name())


def test_a_folder_that_nobody_may_write_is_unreachable_and_no_path_is_told(tmp_path):
    (tmp_path / "pictures").write_text("a file where the folder belongs")
    store = DocumentStore(url=(tmp_path / "pictures").as_uri())

    with pytest.raises(ProviderUnreachable) as refusal:
        store.put(a_name(), b"content")

    assert str(tmp_path) not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


# S3.


def test_a_bucket_that_is_not_there_is_no_lost_picture(s3_address):
    store = s3(s3_address, f"bucket-{uuid.uuid4().hex}")
    try:
        for call in (lambda: store.put(a_name(), b"x"), lambda: store.fetch(a_name())):
            with pytest.raises(ProviderUnreachable):
                call()
    finally:
        store.close()


def test_nobody_there_is_unreachable_soon():
    store = s3("http://127.0.0.1:1", "bucket")
    try:
        for call in (
            lambda: store.put(a_name(), b"x"), lambda: store.fetch(a_name()), lambda: store.delete(a_name()), lambda: store.names("ab"),
        ):  # fmt: skip
            with pytest.raises(ProviderUnreachable):
                call()
    finally:
        store.close()


def test_a_scheme_that_nobody_reads_is_told_with_right_ones(tmp_path: Path):
    with pytest.raises(DocumentStoreFault, match="s3://bucket"):
        DocumentStore(url="nowhere://pictures")
