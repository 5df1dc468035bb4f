"""Photographs of papers: whatever a stranger sends becomes a plain picture of ours, or is refused in words."""

from __future__ import annotations

import io
import tracemalloc
import zlib

import pytest
from PIL import Image, ImageChops, ImageStat
from PIL.ExifTags import IFD

from services.document_errors import PictureDamaged, PictureNotAccepted, PictureTooLarge
from services.pictures import LONGEST_SIDE, MOST_BYTES, MOST_PIXELS, PictureFault, read_picture
from services.watermarks import FontFault, check_font, usual_font, watermark, words_of
from tests import photographs
from tests.photographs import as_bytes, page


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def alike(one: Image.Image, other: Image.Image) -> bool:
    """The same to the eye: a mean difference of less than 4 of 255."""
    difference = ImageChops.difference(one.convert("L").resize((100, 100)), other.convert("L").resize((100, 100)))
    return ImageStat.Stat(difference).mean[0] < 4


# What is kept.


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_photograph_is_kept_as_a_plain_jpeg_of_the_same_picture(form):
    kept = read_picture(photographs.photograph(form=form))

    assert (kept.media_type, kept.width, kept.height, kept.faults) == ("image/jpeg", 1600, 1000, ())
    assert opened(kept.content).format == "JPEG"
    assert alike(opened(kept.content), opened(photographs.photograph(form=form)))


def test_place_camera_profile_and_comment_stay_outside():
    given = photographs.with_place()
    assert opened(given).getexif().get_ifd(IFD.GPSInfo)
    assert b"CANARY" in given

    kept = read_picture(given).content

    image = opened(kept)
    assert not image.getexif()
    assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for trace in (b"CANARY", b"Exif", b"ICC_PROFILE", b"http://ns.adobe.com"):
        assert trace not in kept


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright_however_the_phone_was_held(orientation):
    given = photographs.with_place(orientation=orientation)
    upright = page() if orientation < 5 else page().transpose(Image.Transpose.ROTATE_90)

    kept = opened(read_picture(given).content)

    assert kept.size == upright.size
    from PIL import ImageOps

    assert alike(kept, ImageOps.exif_transpose(opened(given)))


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_large_picture_is_made_smaller_and_keeps_its_shape(form):
    kept = read_picture(as_bytes(page(5200, 3900), form))

    assert (kept.width, kept.height) == (LONGEST_SIDE, LONGEST_SIDE * 3 // 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_way_to_write_pixels_is_read(mode):
    image = Image.new("I;16", (700, 700), 0xDE00) if mode == "I;16" else page(700, 700).convert(mode)
    kept = opened(read_picture(as_bytes(image, "JPEG" if mode == "CMYK" else "PNG")).content)

    assert kept.mode == "RGB"
    assert ImageStat.Stat(kept.convert("L")).mean[0] == pytest.approx(
        ImageStat.Stat(page(700, 700).convert("L")).mean[0], abs=12
    )


def test_what_is_transparent_becomes_white_paper():
    clear = Image.new("RGBA", (600, 600), (0, 0, 0, 0))

    assert opened(read_picture(as_bytes(clear, "PNG")).content).getpixel((300, 300)) == (255, 255, 255)


def test_the_same_picture_is_kept_as_the_same_bytes():
    assert read_picture(photographs.photograph()).content == read_picture(photographs.photograph()).content


def test_of_a_phones_two_pictures_in_one_the_first_is_kept():
    kept = read_picture(photographs.two_in_one())

    assert alike(opened(kept.content), page())


@pytest.mark.parametrize(
    "tail",
    [b"PK\x03\x04 a whole archive", b"%PDF-1.7 a whole page", b"<script>alert(1)</script>", b"\x7fELF a program"],
    ids=["ZIP", "PDF", "HTML", "ELF"],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_other_half_of_a_polyglot_is_gone(form, tail):
    given = photographs.photograph(form=form) + tail

    kept = read_picture(given).content

    assert tail not in kept
    assert kept.endswith(b"\xff\xd9"), "nothing stands behind the end of the picture"


def test_a_script_in_a_comment_is_gone():
    given = as_bytes(page(), comment=b"<script>alert(1)</script>")
    assert b"<script>" in given

    assert b"<script>" not in read_picture(given).content


# What is refused.


@pytest.mark.parametrize("raw", photographs.NOT_PICTURES.values(), ids=photographs.NOT_PICTURES.keys())
def test_what_is_neither_jpeg_nor_png_is_refused_whatever_it_is_called(raw):
    with pytest.raises(PictureNotAccepted):
        read_picture(raw)


def test_a_png_that_moves_is_refused():
    with pytest.raises(PictureNotAccepted):
        read_picture(photographs.apng())


@pytest.mark.parametrize(("width", "height"), [(2**31 - 1, 2**31 - 1), (200_000, 201), (8_000, 5_001)])
def test_a_png_that_promises_too_many_pixels_is_refused_by_its_header(width, height):
    tracemalloc.start()
    try:
        with pytest.raises(PictureTooLarge):
            read_picture(photographs.png_that_promises(width, height))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_jpeg_that_promises_too_many_pixels_is_refused_by_its_header():
    with pytest.raises(PictureTooLarge):
        read_picture(photographs.jpeg_that_promises(65_000, 65_000))


def test_forty_million_pixels_are_the_most():
    assert MOST_PIXELS == 8_000 * 5_000
    edge = as_bytes(Image.new("L", (8_000, 5_000), 200), "PNG")

    assert read_picture(edge).width == LONGEST_SIDE


def test_more_than_eight_megabytes_are_refused_unread():
    with pytest.raises(PictureTooLarge):
        read_picture(photographs.photograph() + bytes(MOST_BYTES))


def test_a_bomb_unpacks_to_its_own_header_and_no_further():
    raw = photographs.bomb()
    assert len(raw) < 60_000

    assert (read_picture(raw).width, read_picture(raw).height) == (1040, 2600)


def test_a_bomb_in_a_text_is_refused():
    raw = photographs.bomb_in_a_text()
    tracemalloc.start()
    try:
        with pytest.raises(PictureDamaged):
            read_picture(raw)
        assert tracemalloc.get_traced_memory()[1] < 8_000_000, "and not unpacked first"
    finally:
        tracemalloc.stop()


def test_more_pixels_than_the_header_promises_change_nothing():
    packed = zlib.compress(bytes(50_000_000), 9)

    assert read_picture(photographs.png_that_promises(10, 10, packed=packed)).width == 10


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.001, 0.01, 0.3, 0.5, 0.9, 0.99])
def test_half_a_picture_is_refused(form, part):
    raw = photographs.photograph(form=form)

    with pytest.raises(PictureDamaged):
        read_picture(raw[: max(9, int(len(raw) * part))])


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_picture_with_any_byte_altered_is_read_or_refused(form):
    raw = as_bytes(page(200, 120), form)
    for at in range(0, len(raw), 7):
        broken = bytearray(raw)
        broken[at] ^= 0xFF
        try:
            kept = read_picture(bytes(broken))
        except (PictureDamaged, PictureNotAccepted, PictureTooLarge):
            continue
        assert kept.content.startswith(b"\xff\xd8\xff")


# What a person may want to mend.


@pytest.mark.parametrize(
    ("how", "faults"),
    [
        ({}, ()),
        ({"width": 640, "height": 400}, (PictureFault.TOO_SMALL,)),
        ({"brightness": 0.12}, (PictureFault.TOO_DARK,)),
        ({"blur": 6}, (PictureFault.BLURRED,)),
    ],
    ids=["good", "small", "dark", "blurred"],
)
def test_a_poor_photograph_is_kept_with_advice(how, faults):
    assert read_picture(as_bytes(page(**how))).faults == faults


def test_one_pixel_is_a_picture_and_hardly_a_document():
    kept = read_picture(as_bytes(Image.new("RGB", (1, 1), "white")))

    assert PictureFault.TOO_SMALL in kept.faults


# The mark.


@pytest.mark.parametrize("font_file", [None, usual_font()], ids=["latin", "chinese"])
def test_the_mark_covers_every_strip_of_the_picture_and_leaves_it_readable(font_file):
    plain = read_picture(photographs.photograph()).content
    before = opened(plain).convert("L")

    marked = opened(watermark(plain, viewer="S1024", moment="2026-11-21 10:00", font_file=font_file))

    assert marked.size == before.size
    difference = ImageChops.difference(before, marked.convert("L"))
    for top in range(0, before.height - 250, 250):
        for left in range(0, before.width - 400, 400):
            strip = difference.crop((left, top, left + 400, top + 250))
            assert ImageStat.Stat(strip).extrema[0][1] > 20, f"no mark at {left},{top}"
    assert ImageStat.Stat(difference).mean[0] < 40


def test_a_mark_is_seen_on_black_and_on_white():
    for colour in ("black", "white"):
        plain = as_bytes(Image.new("RGB", (900, 600), colour))
        marked = opened(watermark(plain, viewer="S1024", moment="2026-11-21 10:00"))
        assert ImageStat.Stat(marked.convert("L")).stddev[0] > 5, colour


def test_other_viewers_and_other_moments_make_other_marks():
    plain = read_picture(photographs.photograph()).content
    marks = {
        watermark(plain, viewer=viewer, moment=moment)
        for viewer, moment in (("S1024", "2026-11-21 10:00"), ("S1025", "2026-11-21 10:00"), ("S1024", "2026-11-21 10:01"))
    }

    assert len(marks) == 3


def test_without_a_chinese_font_the_mark_speaks_latin(tmp_path):
    said = words_of(viewer="S1024", moment="2026-11-21 10:00", font_file=None)

    assert said.isascii()
    assert "S1024" in said
    assert "仅供社保业务使用" in words_of(viewer="S1024", moment="2026-11-21 10:00", font_file=tmp_path)


def test_a_font_that_cannot_write_it_is_refused(tmp_path):
    (tmp_path / "not.ttf").write_bytes(b"no font")
    latin = tmp_path / "latin.ttf"
    from PIL import ImageFont

    latin.write_bytes(ImageFont.load_default(12).font_bytes)

    with pytest.raises(FontFault, match="cannot be read"):
        check_font(tmp_path / "not.ttf")
    with pytest.raises(FontFault, match="no Chinese characters"):
        check_font(latin)
