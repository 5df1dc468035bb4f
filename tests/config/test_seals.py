"""Seals: SM3 and SM4 by their published vectors, each seal good in one place only, and no way back from an index."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st

from config.seal_file import add_index_key, add_key, drop_previous_index_keys, retire_key, take_back_index_key
from config.seals import (
    LOOK_AGAIN_SECONDS,
    SealBroken,
    SealKeysFault,
    UnknownSealKey,
    head_of,
    load_seals,
    new_seal_keys,
)

PLACE = "persons.name_sealed:0199"


def a_key_file(tmp_path, **changed):
    path = tmp_path / "seal-keys.json"
    path.write_text(json.dumps({**json.loads(new_seal_keys()), **changed}))
    return path


def test_sm3_is_the_standards_sm3():
    digest = Hash(SM3())
    digest.update(b"abc")

    assert digest.finalize().hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_sm4_is_the_standards_sm4():
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")

    worker = Cipher(algorithms.SM4(block), modes.ECB()).encryptor()  # noqa: S305 - the published vector is one raw block

    assert (worker.update(block) + worker.finalize()).hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_gcm_is_rfc_8998s():
    """RFC 8998 appendix A.1: the shipped cipher, key, nonce, associated data and tag."""
    from config.seals import _Sm4Gcm

    cipher = _Sm4Gcm(bytes.fromhex("0123456789abcdeffedcba9876543210"))
    nonce = bytes.fromhex("00001234567800000000abcd")
    plain = bytes.fromhex(
        "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
    )
    associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")

    sealed = cipher.encrypt(nonce, plain, associated)

    assert sealed[-16:].hex() == "83de3541e4c2b58177e065a9bf7b62ec"
    assert cipher.decrypt(nonce, sealed, associated) == plain


@given(text=st.text(max_size=200))
def test_what_was_sealed_opens_in_its_place(seals, text):
    assert seals.open(seals.seal(text, place=PLACE), place=PLACE) == text


@pytest.mark.parametrize("algorithm", ["SM4-GCM", "AES-256-GCM"])
def test_a_seal_opens_nowhere_else(tmp_path, algorithm):
    path = tmp_path / "seal-keys.json"
    path.write_text(new_seal_keys(algorithm))
    seals = load_seals(path)
    sealed = seals.seal("张三丰", place=PLACE)

    assert seals.open(sealed, place=PLACE) == "张三丰"
    for elsewhere in ("persons.name_sealed:0198", "persons.id_number_sealed:0199", "accounts.name_sealed:0199", ""):
        with pytest.raises(SealBroken) as fault:
            seals.open(sealed, place=elsewhere)
        assert "张" not in str(fault.value)


@given(at=st.integers(0, 60), flip=st.integers(1, 255))
def test_a_seal_with_one_bit_changed_does_not_open(seals, at, flip):
    sealed = bytearray(seals.seal("320402199001010017", place=PLACE))
    sealed[at % len(sealed)] ^= flip

    with pytest.raises(SealBroken):
        seals.open(bytes(sealed), place=PLACE)


@pytest.mark.parametrize(
    "not_a_seal", [b"", b"\x01", b"\x01\x02k1", b"\x02" * 64, b"plain text that somebody wrote into the column"]
)
def test_what_is_no_seal_is_refused(seals, not_a_seal):
    with pytest.raises(SealBroken):
        seals.open(not_a_seal, place=PLACE)


def test_the_same_text_is_sealed_differently_each_time_and_shows_nothing(seals):
    one, other = (seals.seal("张三丰", place=PLACE) for _ in range(2))

    assert one != other
    assert "张三丰".encode() not in one
    assert repr(seals) == "Seals(current='k1')"
    assert "_Sm4Gcm" not in repr(seals._ring)
    assert "index_keys" not in repr(seals._ring)


def test_old_keys_open_and_the_current_one_seals(tmp_path):
    path = a_key_file(tmp_path)
    old = load_seals(path)
    sealed = old.seal("张三丰", place=PLACE)
    keys = json.loads(path.read_text())
    keys["keys"]["k2"] = {"algorithm": "AES-256-GCM", "key": base64.b64encode(b"2" * 32).decode()}
    keys["current"] = "k2"
    path.write_text(json.dumps(keys))
    new = load_seals(path)

    assert new.open(sealed, place=PLACE) == "张三丰"
    assert new.index("name", "张三丰") == old.index("name", "张三丰")
    assert new.current == "k2"
    assert new.open(new.reseal(sealed, place=PLACE), place=PLACE) == "张三丰"
    assert new.reseal(sealed, place=PLACE).startswith(head_of("k2"))


def test_a_running_process_meets_a_younger_key_the_moment_it_needs_it(tmp_path):
    path = a_key_file(tmp_path)
    running = load_seals(path)
    assert add_key(path, algorithm="AES-256-GCM") == "k2"
    other = load_seals(path)

    assert running.open(other.seal("张三丰", place=PLACE), place=PLACE) == "张三丰"
    assert running.seal("张三丰", place=PLACE).startswith(head_of("k2"))


def test_a_running_process_seals_with_the_new_key_within_seconds_and_looks_no_oftener(tmp_path, monkeypatch):
    path = a_key_file(tmp_path)
    now = 1000.0
    monkeypatch.setattr("config.seals.time.monotonic", lambda: now)
    running = load_seals(path)
    add_key(path, algorithm="SM4-GCM")

    assert running.seal("", place=PLACE).startswith(head_of("k1"))
    now += LOOK_AGAIN_SECONDS
    assert running.seal("", place=PLACE).startswith(head_of("k2"))
    # Looked at a moment ago: not even the folder may be asked now.
    path.unlink()
    now += LOOK_AGAIN_SECONDS - 0.1
    assert running.seal("", place=PLACE).startswith(head_of("k2"))


@pytest.mark.parametrize("content", ["", "{", '{"current": "k1", "keys": {}, "index_key": ""}', None])
def test_a_file_that_cannot_be_read_leaves_a_running_process_its_keys(tmp_path, content):
    path = a_key_file(tmp_path)
    running = load_seals(path)
    sealed = running.seal("张三丰", place=PLACE)
    if content is None:
        path.unlink()
    else:
        path.write_text(content)

    running.look_again()

    assert running.open(sealed, place=PLACE) == "张三丰"
    assert running.seal("李四光", place=PLACE).startswith(head_of("k1"))


def test_a_key_that_is_lost_is_told_as_such_and_the_rest_still_opens(tmp_path):
    path = a_key_file(tmp_path)
    first = load_seals(path).seal("张三丰", place=PLACE)
    add_key(path, algorithm="SM4-GCM")
    second = load_seals(path).seal("李四光", place=PLACE)
    retire_key(path, key_id="k1")
    seals = load_seals(path)

    with pytest.raises(UnknownSealKey, match="'k1'"):
        seals.open(first, place=PLACE)
    assert seals.open(second, place=PLACE) == "李四光"


def test_an_index_finds_equals_only_and_depends_on_its_key(seals, tmp_path):
    other = load_seals(a_key_file(tmp_path))

    index = seals.index("id_number", "320402199001010017")

    assert len(index) == 32
    assert index == seals.index("id_number", "320402199001010017")
    assert index != seals.index("name", "320402199001010017")
    assert index != other.index("id_number", "320402199001010017")
    assert seals.same(index, bytes(index))


@given(parts=st.lists(st.text(max_size=8), min_size=2, max_size=3), cut=st.integers(0, 8))
def test_an_index_keeps_its_parts_apart(seals, parts, cut):
    moved = [parts[0] + parts[1][:cut], parts[1][cut:], *parts[2:]]

    assert (seals.index(*parts) == seals.index(*moved)) is (parts == moved)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"current": "k9"}, "current: 'k9' is not among keys"),
        ({"index_key": "AAAA"}, "index_key: needs 32 bytes"),
        ({"keys": {"k1": {"algorithm": "SM4-GCM", "key": "AAAA"}}}, "keys.k1.key: SM4-GCM needs 16 bytes in base64, not 3"),
        ({"keys": {"k1": {"algorithm": "ROT13", "key": "AAAA"}}}, "not a seal key file"),
        ({"keys": {"k1": {"algorithm": "SM4-GCM", "key": "not base64!"}}}, "not a seal key file"),
        ({"keys": []}, "not a seal key file"),
    ],
)
def test_a_bad_key_file_says_what_to_mend(tmp_path, changed, said):
    with pytest.raises(SealKeysFault) as fault:
        load_seals(a_key_file(tmp_path, **changed))

    assert said in str(fault.value)
    assert str(fault.value).startswith("seal-keys.json")


def test_a_missing_key_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SealKeysFault, match="canbao seal-keys new"):
        load_seals(tmp_path / "seal-keys.json")


@pytest.mark.parametrize("algorithm", ["SM4-GCM", "AES-256-GCM"])
def test_a_new_key_is_added_whole_in_one_stroke_and_readable_to_the_owner_alone(tmp_path, algorithm):
    path = a_key_file(tmp_path)
    before = json.loads(path.read_text())
    path.chmod(0o644)

    added = [add_key(path, algorithm=algorithm) for _ in range(3)]

    after = json.loads(path.read_text())
    assert added == ["k2", "k3", "k4"]
    assert after["current"] == "k4"
    assert after["keys"]["k1"] == before["keys"]["k1"]
    assert after["index_key"] == before["index_key"]
    assert len({entry["key"] for entry in after["keys"].values()}) == 4
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == [".seal-keys.json.lock", "seal-keys.json"]


def test_two_operators_at_once_add_two_keys(tmp_path):
    path = a_key_file(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: add_key(path, algorithm="SM4-GCM"), range(16)))

    assert sorted(added, key=lambda key_id: int(key_id[1:])) == [f"k{n}" for n in range(2, 18)]
    assert len(json.loads(path.read_text())["keys"]) == 17


def test_a_writer_that_died_half_way_leaves_the_file_whole_and_the_next_one_does_its_work(tmp_path, monkeypatch):
    path = a_key_file(tmp_path)
    before = path.read_text()
    with monkeypatch.context() as patched:
        patched.setattr("config.seal_file.os.fsync", lambda _: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space"):
            add_key(path, algorithm="SM4-GCM")

    assert path.read_text() == before
    assert add_key(path, algorithm="SM4-GCM") == "k2"


def test_the_current_key_and_one_that_is_not_there_are_not_retired(tmp_path):
    path = a_key_file(tmp_path)
    for key_id, said in (("k1", "is the current key"), ("k9", "is not among keys")):
        with pytest.raises(SealKeysFault, match=said):
            retire_key(path, key_id=key_id)


def test_a_new_index_key_makes_other_indexes_and_can_be_taken_back_until_it_is_settled(tmp_path):
    path = a_key_file(tmp_path)
    before = json.loads(path.read_text())
    old = load_seals(path).index("name", "张三丰")
    add_index_key(path)
    seals = load_seals(path)
    sealed = seals.seal("张三丰", place=PLACE)

    assert seals.is_rebuilding_indexes
    assert seals.index("name", "张三丰") != old
    assert seals.index_of_sealed(sealed, place=PLACE, words=["name"], pick=str) == seals.index("name", "张三丰")
    take_back_index_key(path)
    assert json.loads(path.read_text()) == before

    add_index_key(path)
    drop_previous_index_keys(path)
    settled = load_seals(path)
    assert not settled.is_rebuilding_indexes
    assert settled.index("name", "张三丰") != old
