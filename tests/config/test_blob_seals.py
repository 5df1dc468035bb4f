"""Sealed blobs: megabytes under a key of their own, which open with that key, in that place, and whole."""

from __future__ import annotations

import pytest

from config.blob_seals import new_blob_key, open_blob, seal_blob
from config.seals import ALGORITHMS, SealBroken, load_seals, new_seal_keys

PLACE = "application_documents:1"
CONTENT = b"canary" * 500_000


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_blob_opens_with_its_key_in_its_place(algorithm):
    key = new_blob_key(algorithm)

    sealed = seal_blob(CONTENT, key=key, place=PLACE)

    assert b"canary" not in sealed
    assert len(sealed) - len(CONTENT) < 64
    assert open_blob(sealed, key=key, place=PLACE) == CONTENT


def test_another_place_another_key_and_altered_bytes_do_not_open():
    key = new_blob_key("SM4-GCM")
    sealed = seal_blob(b"content", key=key, place=PLACE)
    wrong = [
        (sealed, key, "application_documents:2"),
        (sealed, new_blob_key("SM4-GCM"), PLACE),
        (sealed, new_blob_key("AES-256-GCM"), PLACE),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), key, PLACE),
        (sealed[:-1], key, PLACE),
        (sealed[:20], key, PLACE),
        (b"", key, PLACE),
        (b"\x02" + sealed[1:], key, PLACE),
        (sealed, "", PLACE),
        (sealed, "ROT13:abcd", PLACE),
        (sealed, "SM4-GCM:abcd", PLACE),
        (sealed, "SM4-GCM:***", PLACE),
    ]

    for given, by, place in wrong:
        with pytest.raises(SealBroken):
            open_blob(given, key=by, place=place)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_seals_say_which_algorithm_they_use(tmp_path, algorithm):
    path = tmp_path / "seal-keys.json"
    path.write_text(new_seal_keys(algorithm))

    assert load_seals(path).algorithm == algorithm
