import struct
import warnings
import zlib
from io import BytesIO

import numpy as np
import pytest
from noise import noise
from PIL import Image, UnidentifiedImageError

from sparring.kinds.images.picture import (
    adapt,
    is_transparent,
    quiet_pillow,
    read_header,
    read_picture,
    why_unreadable,
)
from sparring.kinds.images.target import Target

GREY, COLOUR = Target(16, 16, 1, "centre"), Target(16, 16, 3, "centre")
GREY_ALPHA, COLOUR_ALPHA = Target(16, 16, 2, "centre"), Target(16, 16, 4, "centre")


def stored(image, format="PNG", **options):
    file = BytesIO()
    image.save(file, format, **options)
    file.seek(0)
    return file


def read(file, target=COLOUR):
    return read_picture(file, target, 50)


def png16(colour_type, samples):
    """Return a PNG of one row with 16 bits per channel, which Pillow cannot write in colour."""

    def chunk(kind, content):
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", len(samples), 1, 16, colour_type, 0, 0, 0)
    row = b"\0" + np.asarray(samples, ">u2").tobytes()
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(row)), chunk(b"IEND", b"")
    return BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("target", [GREY, GREY_ALPHA, COLOUR, COLOUR_ALPHA])
def test_every_mode_becomes_every_number_of_channels(mode, target):
    format = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    file = stored(noise((16, 16), mode), format)
    assert Image.open(file).mode == mode
    assert read(file, target).pixels.shape == target.shape


def test_colour_survives_exactly_in_lossless_formats():
    image = noise((16, 16))
    for format in ("PNG", "BMP", "TIFF", "PPM"):
        assert np.array_equal(read(stored(image, format)).pixels, np.asarray(image))
    assert np.array_equal(read(stored(image, "WEBP", lossless=True)).pixels, np.asarray(image))


def test_a_palette_image_shows_its_colours():
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    assert (read(stored(image)).pixels == [10, 200, 30]).all()


def test_cmyk_becomes_the_colour_it_prints():
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert (read(stored(image, "TIFF")).pixels == [0, 255, 255]).all()


def test_transparent_pixels_do_not_show_their_hidden_colour():
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    picture = read(stored(image))
    assert (picture.pixels == 255).all()
    assert picture.transparent


def test_half_transparent_pixels_are_mixed_with_white():
    image = Image.new("LA", (16, 16), (0, 128))
    assert abs(read(stored(image), GREY).pixels.astype(int) - 127).max() <= 1


def test_with_alpha_kept_the_hidden_colour_is_zeroed():
    image = Image.new("RGBA", (16, 16), (255, 9, 9, 0))
    image.paste((1, 2, 3, 255), (0, 0, 8, 16))
    pixels = read(stored(image), COLOUR_ALPHA).pixels
    assert (pixels[:, 8:] == 0).all()
    assert (pixels[:, :8] == [1, 2, 3, 255]).all()


def test_a_palette_colour_declared_transparent_is_transparent():
    image = Image.new("P", (16, 16), 0)
    image.putpalette([255, 0, 0])
    picture = read(stored(image, transparency=0), COLOUR_ALPHA)
    assert picture.transparent
    assert (picture.pixels == 0).all()


def test_a_grey_value_declared_transparent_is_transparent():
    image = Image.new("L", (16, 16), 7)
    assert (read(stored(image, transparency=7), GREY).pixels == 255).all()


def test_an_opaque_image_with_alpha_is_not_called_transparent():
    assert not read(stored(Image.new("RGBA", (16, 16), (1, 2, 3, 255)))).transparent
    assert not is_transparent(Image.new("L", (2, 2)))


def test_16_bit_grey_is_scaled_and_not_saturated():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    picture = read(stored(Image.fromarray(ramp)), GREY)
    assert picture.deep
    assert np.array_equal(picture.pixels.ravel(), np.arange(256))


def test_16_bit_big_endian_tiff_is_scaled():
    image = Image.new("I;16B", (16, 16), 257 * 100)
    assert (read(stored(image, "TIFF"), GREY).pixels == 100).all()


def test_16_bit_colour_is_told_apart_from_8_bit_colour():
    picture = read(png16(2, [(0, 257 * 128, 65535)]), Target(1, 1, 3, "centre"))
    assert picture.deep
    assert picture.pixels.ravel().tolist() == [0, 128, 255]
    assert not read(stored(noise((16, 16)))).deep


def test_16_bits_per_pixel_are_not_16_bits_per_channel():
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    about = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0) + masks
    start = struct.pack("<2sIHHI", b"BM", 70, 0, 0, 66)
    picture = read(
        BytesIO(start + about + struct.pack("<2H", 0xF800, 0x001F)), Target(1, 2, 3, "pad")
    )
    assert picture.pixels.tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert not picture.deep


@pytest.mark.parametrize(("value", "expected"), [(0.5, 128), (100.0, 100), (25700.0, 100)])
def test_floating_point_tiff_is_scaled_by_its_range(value, expected):
    image = Image.fromarray(np.full((16, 16), value, np.float32))
    assert (read(stored(image, "TIFF"), GREY).pixels == expected).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1e6])
def test_floating_point_outside_of_every_range_is_refused(value):
    image = Image.fromarray(np.full((16, 16), value, np.float32))
    with pytest.raises(ValueError, match="expected 0 to 65535"):
        read(stored(image, "TIFF"))


def test_32_bit_integers_beyond_16_bits_are_refused():
    image = Image.fromarray(np.full((16, 16), 70000, np.int32))
    with pytest.raises(ValueError, match="from 70000 to 70000; expected 0 to 65535"):
        read(stored(image, "TIFF"))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_in_exif_is_honoured_by_header_and_pixels(orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # a white corner at the top left
    stored_image = Image.fromarray(upright)
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    if orientation in inverse:
        stored_image = stored_image.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = stored(stored_image, "JPEG", quality=100, subsampling=0, exif=exif.tobytes())
    assert read_header(file, 50).size == (16, 32)
    file.seek(0)
    pixels = read(file, Target(16, 32, 3, "centre")).pixels.astype(int)
    assert abs(pixels - upright).max() < 20


def test_a_header_is_read_without_decoding(monkeypatch):
    file = stored(noise((30, 20), "L"))
    monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("decoded"))
    header = read_header(file, 50)
    assert (header.size, header.grey) == ((20, 30), True)


@pytest.mark.parametrize("side", [9000, 12000, 20000])
@pytest.mark.parametrize("reader", [read_header, lambda f, limit: read_picture(f, COLOUR, limit)])
def test_a_small_file_of_many_pixels_is_refused_before_decoding(side, reader, monkeypatch):
    file = stored(Image.new("1", (side, side)))
    assert file.getbuffer().nbytes < 60_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda *_: pytest.fail("decoded"))
    with (
        quiet_pillow(),
        pytest.raises(ValueError, match=rf"{side}x{side} is .* more than --data.max-megapixels 50"),
    ):
        reader(file, 50)


def test_quiet_pillow_restores_limit_and_warnings():
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with quiet_pillow():
        assert Image.MAX_IMAGE_PIXELS is None
    assert limit == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters


def test_damaged_exif_neither_warns_nor_loses_the_image():
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(20)
    file = stored(noise((16, 16)), "JPEG", exif=exif)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        read(file)
    file.seek(0)
    with quiet_pillow():
        assert read(file).pixels.shape == (16, 16, 3)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_used(format):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    file = stored(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    picture = read(file)
    assert picture.animated
    assert (picture.pixels == [255, 0, 0]).all()


def test_still_images_are_not_called_animated():
    assert not read(stored(noise((16, 16)), "GIF")).animated
    stereo = stored(noise((16, 16)), "MPO", save_all=True, append_images=[noise((16, 16))])
    assert not read(stereo).animated


def test_a_truncated_jpeg_is_an_error_and_not_grey_rows():
    content = stored(noise((64, 64)), "JPEG").getvalue()
    with pytest.raises(OSError, match="truncated"):
        read(BytesIO(content[: len(content) // 2]))


@pytest.mark.parametrize("reader", [read_header, lambda f, limit: read_picture(f, COLOUR, limit)])
def test_formats_that_run_programs_are_not_tried(reader):
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n"
    with pytest.raises(UnidentifiedImageError):
        reader(BytesIO(script), 50)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (17, 33), (3, 2)])
@pytest.mark.parametrize("crop", ["centre", "pad", "stretch"])
def test_odd_sizes_become_the_wanted_size(size, crop):
    assert read(stored(noise(size)), Target(24, 16, 3, crop)).pixels.shape == (24, 16, 3)


def test_the_wanted_size_already_is_not_resampled():
    image = noise((16, 16))
    for crop in ("centre", "pad", "stretch"):
        assert np.array_equal(adapt(image, Target(16, 16, 3, crop)), np.asarray(image))


def test_centre_cuts_the_edges_pad_keeps_them_on_black_and_stretch_fills():
    wide = np.full((16, 48), 200, np.uint8)
    wide[:, :16] = wide[:, 32:] = 100
    image = Image.fromarray(wide)
    centre, pad, stretch = (
        adapt(image, Target(16, 16, 1, crop))[..., 0] for crop in ("centre", "pad", "stretch")
    )
    assert centre[:, 4:12].min() > 190
    assert (pad[:4] == 0).all()
    assert pad[8, 0] == 100
    assert (pad[12:] == 0).all()
    assert stretch[8, 1] in range(95, 105)
    assert stretch[8, 8] in range(195, 212)


def test_shrinking_is_antialiased():
    stripes = np.zeros((256, 256), np.uint8)
    stripes[:, ::2] = 255
    pixels = adapt(Image.fromarray(stripes), GREY)
    assert abs(pixels.astype(int) - 127).max() <= 3


def test_a_large_jpeg_keeps_its_colours_though_it_shrinks_while_decoding():
    image = Image.new("RGB", (1600, 1200), (200, 100, 50))
    pixels = read(stored(image, "JPEG")).pixels.astype(int)
    assert abs(pixels - [200, 100, 50]).max() <= 3


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnidentifiedImageError("<BytesIO>"), "not an image of a known format"),
        (PermissionError(13, "x"), "permission denied"),
        (FileNotFoundError(2, "x"), "not there any more, or a broken link"),
        (MemoryError(), "not enough memory to decode it"),
        (SyntaxError("broken PNG file"), "broken PNG file"),
        (ValueError("two\nlines"), "two"),
        (KeyError(), "KeyError"),
    ],
)
def test_every_reason_is_one_line(error, words):
    assert why_unreadable(error) == words
