"""Seals: SM3 and SM4 by their published vectors, each seal good in one place only, and no way back from an index."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st

from config.seals import SealBroken, SealKeysFault, UnknownSealKey, load_seals, new_seal_keys

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
    assert "_keys" not in repr(seals)
    assert "_index_key" not in repr(seals)


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
    with pytest.raises(UnknownSealKey, match="'k2'"):
        old.open(new.seal("张三丰", place=PLACE), place=PLACE)


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
