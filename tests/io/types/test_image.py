import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from mesh.io.files.folder import Folder
from mesh.io.files.intake import CallIntake
from mesh.io.types.content_type import ContentType
from mesh.io.types.file import File
from mesh.io.types.image import ImageKind, wire_value
from mesh.io.types.registry import kind_of

Image = pytest.importorskip("PIL.Image")

ANY = ImageKind()


def encoded(form: str, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (4, 3), **options).save(stream, form)
    return stream.getvalue()


def cut_off(form: str) -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(stream, form)
    return stream.getvalue()[: len(stream.getvalue()) // 2]


def huge_png(width: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 10_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_an_image_is_decoded_with_its_format(form: str, tmp_path: Path) -> None:
    data = encoded(form)
    path = tmp_path / "image"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    for value in (File(data), File(path=path), data, f"data:image/any;base64,{text}"):
        image = ANY.load(value, None)
        assert (image.size, image.format) == ((4, 3), form)
        image.copy()


def test_an_image_behind_a_url_is_fetched() -> None:
    def fetch(_uri: str, _new_path: object) -> File:
        return File(encoded("PNG"))

    intake = CallIntake(Folder(), fetch)
    assert ANY.load("http://example.com", intake).size == (4, 3)
    assert ANY.load(File(uri="http://example.com"), intake).size == (4, 3)


def test_what_an_image_holds_decides_not_its_label() -> None:
    for label in ("image/jpeg", "image/nonsense", "text/plain", ""):
        assert ANY.load(File(encoded("PNG"), label), None).format == "PNG"


def test_later_frames_outlive_the_file(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 3), shade) for shade in (0, 255)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    image = ANY.load(File(path=path), None)
    path.unlink()
    image.seek(1)
    assert image.convert("L").getpixel((0, 0)) == 255


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "cannot identify image file"),
        (b"no image", "cannot identify image file"),
        (encoded("PNG")[:20], "cannot decode image file"),
        (cut_off("PNG"), "cannot decode image file"),
        (cut_off("JPEG"), "cannot decode image file"),
        (cut_off("TIFF"), "cannot decode image file"),
        (encoded("EPS"), "cannot identify image file"),
        (huge_png(10_000), "too many pixels"),
        (huge_png(60_000), "too many pixels"),
    ],
    ids=["empty", "text", "head", "png", "jpeg", "tiff", "eps", "large", "huge"],
)
def test_what_is_no_image_is_an_error(data: bytes, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(data)
    for file in (File(data, "image/png"), File(path=path)):
        with pytest.raises(ValueError, match=f"{fault}[^<]*$"):
            ANY.load(file, None)


@pytest.mark.parametrize("value", ["/etc/passwd", "", 1, None, []])
def test_nothing_else_is_an_image(value: Any) -> None:
    with pytest.raises(ValueError, match="Invalid file type"):
        ANY.load(value, None)
    with pytest.raises(ValueError, match="must be an image"):
        ANY.check(value)


def test_a_content_type_is_checked_against_the_content() -> None:
    png = ImageKind(ContentType("image/png"))
    assert png.load(File(encoded("PNG"), "image/jpeg"), None).format == "PNG"
    with pytest.raises(ValueError, match="Invalid content type image/jpeg, expected image/png"):
        png.load(File(encoded("JPEG"), "image/png"), None)
    assert ImageKind(ContentType("image/*")).load(File(encoded("GIF")), None).format == "GIF"


def test_a_result_is_written_in_its_own_format_else_as_png() -> None:
    for form in ("PNG", "JPEG", "GIF", "WEBP"):
        image = ANY.load(encoded(form), None)
        file = ANY.wire(image)
        assert file.media_type == f"image/{form.lower()}"
        assert not file.filename
        assert ANY.load(file, None).format == form
    assert wire_value(Image.new("RGB", (1, 1))).media_type == "image/png"


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I", "HSV"]
)
def test_every_mode_can_be_written(mode: str) -> None:
    for form in (None, "JPEG", "PNG", "PSD"):
        image = Image.new(mode, (4, 3))
        image.format = form
        file = ANY.wire(image)
        assert ANY.load(file, None).size == (4, 3)
        assert file.media_type in ("image/png", "image/jpeg")


@pytest.mark.parametrize("name", ["image/jpeg", "image/jpg"])
def test_a_declared_format_goes_before_the_images_own(name: str) -> None:
    jpeg = ImageKind(ContentType(name))
    for mode in ("RGB", "RGBA", "P"):
        file = jpeg.wire(Image.new(mode, (4, 3)))
        assert file.media_type == "image/jpeg"
        assert ANY.load(file, None).format == "JPEG"
    assert ImageKind(ContentType("image/*")).wire(Image.new("L", (1, 1))).media_type == "image/png"


def test_an_image_without_pixels_is_an_error() -> None:
    with pytest.raises(ValueError, match="can't be written"):
        ANY.wire(Image.new("RGB", (0, 0)))


def test_the_class_and_its_module_mean_the_same() -> None:
    assert kind_of(Image) == kind_of(Image.Image) == ANY
    assert ANY.json_schema() == {"type": "file", "format": "image", "pil": True}
    with pytest.raises(TypeError, match="says nothing about an image"):
        ANY.marked("x")
