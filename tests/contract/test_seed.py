"""Every example of BentoML's document on input and output types, native and through the adapter."""

import email
import io
import subprocess
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import bentoml
import httpx
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mesh.client import Client
from mesh.cluster.start import Session
from mesh.config import DeploymentConfig, parse
from mesh.serving.application import Release, application
from mesh.serving.run import Place, RunningMesh

NATIVE, ADAPTED = "native", "bentoml"
TARGETS = {name: f"tests.contract.seed_{name}:Seed" for name in (NATIVE, ADAPTED)}
ADS = {"prompt": "buy", "industry": "shoes", "target_audience": "feet"}


class Seed(NamedTuple):
    """One of the two services: an HTTP client, BentoML's client, and whose it is."""

    http: httpx.Client
    theirs: Any
    name: str

    def post(self, method: str, **kwargs: Any) -> httpx.Response:
        """The reply to a call, which must be good."""
        reply = self.http.post(f"/{method}", **kwargs)
        assert reply.status_code == 200, reply.text
        return reply

    def refused(self, method: str, **kwargs: Any) -> dict[str, Any]:
        """The first detail of the refusal of a call."""
        reply = self.http.post(f"/{method}", **kwargs)
        assert reply.status_code == 400, reply.text
        detail: dict[str, Any] = reply.json()["detail"][0]
        return detail

    def curl(self, method: str, *options: str) -> bytes:
        """What curl, started as the document does, writes."""
        url = str(self.http.base_url.join(f"/{method}"))
        header = f"x-mesh-endpoint: {self.name}"
        command = [
            *("curl", "--fail-with-body", "-sS", "-XPOST", "-H", header, "-H", "expect:"),
            *options,
        ]
        return subprocess.run([*command, url], check=True, stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def both(ray_session: Session) -> Iterator[RunningMesh]:
    with RunningMesh(Place(control_port=None), session=ray_session) as running:
        folder = str(Path(__file__).parents[2])
        for name, target in TARGETS.items():
            config = parse(DeploymentConfig, {"name": name, "target": target}, what=name)
            running.deploy(application(config, {"main": Release.of_target(target, [folder])}))
        yield running
        for name in TARGETS:
            running.control.delete(name)


@pytest.fixture(scope="module", params=[NATIVE, ADAPTED])
def seed(both: RunningMesh, request: pytest.FixtureRequest) -> Iterator[Seed]:
    name = request.param
    headers = {"x-mesh-endpoint": name}
    theirs = bentoml.SyncHTTPClient(f"{both.url}/e/{name}", server_ready_timeout=30)
    with httpx.Client(base_url=both.url, headers=headers, timeout=30) as http:
        yield Seed(http, theirs, name)
    theirs.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        theirs._temp_dir.cleanup()  # which it leaves to the collector


@pytest.fixture
def address(files: Path) -> Iterator[str]:
    """The address of a server of the files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
            """Writes nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(files))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file of each type."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("image.jpg", "image.png"):
        Image.new("RGB", (6, 4), "red").save(folder / name)
    for name in ("audio.mp3", "note.txt", "page.pdf"):
        (folder / name).write_text("content")
    return folder


def image_of(body: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


# Standard Python types


def test_standard_python_types_with_defaults_and_a_generator(seed: Seed) -> None:
    reply = seed.post("standard_types", json={"prompt": "hi"})
    assert reply.text == "hi 0.0 1000"
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert list(seed.theirs.standard_types(prompt="hi", max_tokens=5)) == ["hi", " 0.0 5"]


def test_a_field_gives_default_and_description(seed: Seed) -> None:
    document = seed.http.get("/docs.json").json()
    body = document["paths"]["/standard_types"]["post"]["requestBody"]["content"]
    schema = body["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    temperature = schema["properties"]["temperature"]
    assert temperature["default"] == 0.0
    assert temperature["description"] == "A sampling temperature between 0 and 2"
    assert schema["required"] == ["prompt"]


def test_an_example_of_an_input(seed: Seed) -> None:
    assert seed.post("example_input", json={"input": [0.1, 0.5]}).json() == [0.2, 1.0]
    routes = seed.http.get("/schema.json").json()["routes"]
    schema = next(each["input"] for each in routes if each["name"] == "example_input")
    assert schema["properties"]["input"]["examples"] == [[0.1, 0.4, 0.2, 1.0]]
    got = seed.theirs.example_input(input=np.array([0.5]))
    np.testing.assert_array_equal(got, [1.0])


@pytest.mark.parametrize(
    ("given", "text"),
    [({}, "7 None None"), ({"temperature": None, "max_tokens": 1.5}, "7 None 1.5")],
)
def test_a_nullable_input(seed: Seed, given: dict[str, Any], text: str) -> None:
    assert seed.post("nullable_input", json={"prompt": 7, **given}).text == text
    assert list(seed.theirs.nullable_input(prompt=7, **given)) == [text]


# Pydantic models


def test_a_pydantic_model_is_validated_before_the_method_is_executed(seed: Seed) -> None:
    assert seed.post("pydantic_model", json={"params": ADS}).text == "buy shoes feet 0.0"
    assert seed.theirs.pydantic_model(params=ADS) == "buy shoes feet 0.0"
    bad = seed.refused("pydantic_model", json={"params": {**ADS, "prompt": 1}})
    assert bad["loc"] == ["params", "prompt"]


def test_a_pydantic_model_at_the_top_level(seed: Seed) -> None:
    assert seed.post("model_at_the_top", json=ADS).text == "buy shoes feet 0.0"
    assert seed.theirs.model_at_the_top(**ADS, temperature=1.5) == "buy shoes feet 1.5"
    assert seed.refused("model_at_the_top", json={})["loc"] == ["prompt"]


def test_an_io_descriptor_has_arrays_as_fields(seed: Seed) -> None:
    params = {"data": [1, 2.5]}
    assert seed.post("io_descriptor", json={"params": params}).text == "float16 [1.0, 2.5]"
    assert seed.theirs.io_descriptor(params=params) == "float16 [1.0, 2.5]"


# Files


def test_a_file_input(seed: Seed, files: Path) -> None:
    with (files / "audio.mp3").open("rb") as audio:
        assert seed.post("file_to_text", files={"audio": audio}).text == ".mp3 content"
    assert seed.theirs.file_to_text(audio=files / "audio.mp3") == ".mp3 content"


def test_a_content_type_restricts_the_file_type(seed: Seed, files: Path) -> None:
    good = {"audio": ("a.mp3", b"content", "audio/mp3")}
    assert seed.post("mp3_to_text", files=good).text == "content"
    assert seed.curl("mp3_to_text", "-F", f"audio=@{files}/audio.mp3") == b"content"
    assert seed.theirs.mp3_to_text(audio=files / "audio.mp3") == "content"
    bad = seed.refused("mp3_to_text", files={"audio": ("a.txt", b"content", "text/plain")})
    assert "text/plain" in bad["msg"]
    assert "audio/mp3" in bad["msg"]


def test_a_file_output_from_the_temporary_folder(seed: Seed) -> None:
    reply = seed.post("text_to_file", json={"text": "hello"})
    assert reply.content == b"hello"
    assert reply.headers["content-type"] == "audio/mpeg"
    assert 'filename="output.mp3"' in reply.headers["content-disposition"]
    assert seed.theirs.text_to_file(text="hello").read_text() == "hello"


def test_append_string_to_file(seed: Seed, files: Path) -> None:
    form = {"input_string": "more"}
    with (files / "note.txt").open("rb") as note:
        reply = seed.post("append_string_to_eof", files={"txt_file": note}, data=form)
    assert reply.text == "contentmore"
    assert reply.headers["content-disposition"] == 'attachment; filename="note.txt"'
    assert reply.headers["content-type"].startswith("text/plain")
    got = seed.theirs.append_string_to_eof(txt_file=files / "note.txt", input_string="more")
    assert got.read_text() == "contentmore"
    assert (files / "note.txt").read_text() == "content"


def test_pdf_to_image(seed: Seed, files: Path) -> None:
    with (files / "page.pdf").open("rb") as page:
        reply = seed.post("pdf_first_page_as_image", files={"pdf": page})
    assert image_of(reply.content).size == (4, 7)
    assert seed.theirs.pdf_first_page_as_image(pdf=files / "page.pdf").size == (4, 7)


def test_audio_speed_up(seed: Seed, files: Path) -> None:
    with (files / "audio.mp3").open("rb") as audio:
        reply = seed.post("speed_up_audio", files={"audio": audio}, data={"velocity": "2"})
    assert reply.text == "cnet"
    got = seed.theirs.speed_up_audio(audio=files / "audio.mp3", velocity=2.0)
    assert (got.suffix, got.read_text()) == (".mp3", "cnet")


def test_bytes_with_a_content_type_instead_of_a_path(seed: Seed) -> None:
    reply = seed.post("data_as_bytes", json={"text": "hello"})
    assert (reply.content, reply.headers["content-type"]) == (b"hello", "audio/mpeg")
    assert seed.theirs.data_as_bytes(text="hello") == b"hello"


# Tensors and frames


def test_a_tensor_of_a_shape_and_dtype(seed: Seed) -> None:
    method = "tensor_of_shape_and_dtype"
    assert seed.post(method, json={"input": [[1, 2, 3, 4]]}).json() == [[2, 4, 6, 8]]
    got = seed.theirs.tensor_of_shape_and_dtype(input=torch.ones(1, 4))
    np.testing.assert_array_equal(got, [[2, 2, 2, 2]])
    assert seed.refused(method, json={"input": [[1, 2, 3]]})["loc"] == ["input"]
    assert seed.refused(method, json={"input": [["a", 2, 3, 4]]})["loc"] == ["input"]


def test_a_frame_of_records_with_columns(seed: Seed) -> None:
    rows = [{"petal_length": 2, "petal_width": 3}, {"petal_length": 1, "petal_width": 1}]
    assert seed.post("frame_of_records", json={"input": rows}).json() == 7
    assert seed.theirs.frame_of_records(input=pd.DataFrame(rows)) == 7


def test_a_frame_of_columns(seed: Seed) -> None:
    columns = {"a": [1, 2], "b": [3, 4]}
    reply = seed.post("frame_of_columns", json={"input": columns})
    assert reply.json() == {"a": [2, 4], "b": [6, 8]}
    got = seed.theirs.frame_of_columns(input=pd.DataFrame(columns))
    pd.testing.assert_frame_equal(got, pd.DataFrame(columns) * 2)


# Images


def test_image_resize(seed: Seed, files: Path) -> None:
    with (files / "image.png").open("rb") as image:
        reply = seed.post("image_resize", files={"image": image}, data={"width": "16"})
    assert reply.headers["content-type"] == "image/png"
    assert image_of(reply.content).size == (64, 16)
    got = seed.theirs.image_resize(image=files / "image.jpg", height=8, width=16)
    assert got.size == (8, 16)


def test_an_image_file_by_path_and_content_type(seed: Seed, files: Path) -> None:
    with (files / "image.jpg").open("rb") as image:
        assert seed.post("image_file", files={"input": image}).json() == 6
    assert seed.theirs.image_file(input=files / "image.jpg") == 6
    assert seed.refused("image_file", files={"input": ("a.png", b"", "image/png")})


def test_an_image_combined_with_json(seed: Seed, files: Path) -> None:
    metadata = {"description": "red", "timestamp": "now"}
    with (files / "image.png").open("rb") as image:
        form = {"metadata": '{"description": "red", "timestamp": "now"}'}
        reply = seed.post("image_and_json", files={"image": image}, data=form)
    assert reply.json() == {"size": [6, 4], **metadata}
    got = seed.theirs.image_and_json(image=files / "image.png", metadata=metadata)
    assert got == {"size": [6, 4], **metadata}


def test_a_list_of_images(seed: Seed, files: Path) -> None:
    paths = [files / "image.png", files / "image.jpg"]
    parts = [("images", (path.name, path.read_bytes())) for path in paths]
    reply = seed.post("list_of_images", files=parts)
    assert image_of(reply.content).size == (12, 2)
    assert seed.theirs.list_of_images(images=paths).size == (12, 2)


def test_a_list_of_files(seed: Seed, files: Path) -> None:
    paths = [files / "note.txt", files / "page.pdf"]
    expected = [{"suffix": path.suffix, "text": "content"} for path in paths]
    parts = [("files", (path.name, path.read_bytes())) for path in paths]
    assert seed.post("list_of_files", files=parts).json() == expected
    assert seed.theirs.list_of_files(files=paths) == expected


# Validation


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "p" * 1001),
        ("temperature", -0.1),
        ("temperature", 2),
        ("max_tokens", 0),
        ("max_tokens", 150),
    ],
)
def test_data_is_validated(seed: Seed, field: str, value: Any) -> None:
    good = {"prompt": "p" * 1000, "temperature": 1.9, "max_tokens": 200}
    assert seed.post("validate_data", json=good).json() == 200
    assert seed.theirs.validate_data(**good) == 200
    assert seed.refused("validate_data", json={**good, field: value})["loc"] == [field]


# The table of input types, with curl

JSON = ("-H", "content-type: application/json")
NUMBERS = '{ "input1": [[1, 1, 1, 1], [2, 2, 2, 2]] }'
ROWS = '{ "input1": [{"col1": 1, "col2": 2}, {"col1": 1, "col2": 2}] }'


@pytest.mark.parametrize("header", [JSON, ()], ids=["labelled", "as-curl-labels-it"])
@pytest.mark.parametrize(
    ("method", "body", "expected"),
    [
        ("json_input", '{ "input1": "input_value", "input2": 2 }', b"input_value 2"),
        ("torch_input", NUMBERS, [[2] * 4, [3] * 4]),
        ("numpy_input", NUMBERS, [[2] * 4, [3] * 4]),
        ("tensorflow_input", NUMBERS, [[2] * 4, [3] * 4]),
        ("tabular_input", ROWS, [{"col1": 2, "col2": 3}] * 2),
    ],
)
def test_json_by_curl(
    seed: Seed, header: tuple[str, ...], method: str, body: str, expected: Any
) -> None:
    got = seed.curl(method, *header, "-d", body)
    assert got == expected if isinstance(expected, bytes) else _json(got) == expected


def _json(body: bytes) -> Any:
    return httpx.Response(200, content=body).json()


def test_an_image_by_curl(seed: Seed, files: Path) -> None:
    form = ("-F", "input1=enter_your_prompt_here", "-F", f"input2=@{files}/image.jpg")
    assert seed.curl("image_input", *form) == b"enter_your_prompt_here JPEG (6, 4)"


def test_a_file_by_curl(seed: Seed, files: Path) -> None:
    form = ("-F", "input1=enter_your_prompt_here", "-F", f"input2=@{files}/image.jpg")
    assert seed.curl("path_input", *form) == b"enter_your_prompt_here b'\\xff\\xd8\\xff\\xe0'"


@pytest.mark.parametrize(
    ("method", "file", "expected"),
    [("image_input", "image.jpg", "here JPEG (6, 4)"), ("path_input", "audio.mp3", "here b'cont'")],
)
def test_a_url_by_curl(seed: Seed, address: str, method: str, file: str, expected: str) -> None:
    form = ("-F", "input1=here", "-F", f"input2={address}/{file}")
    if seed.name == ADAPTED:  # a BentoML service cannot allow a private network
        with pytest.raises(subprocess.CalledProcessError) as caught:
            seed.curl(method, *form)
        assert b"Connection blocked due to insecure input URL" in caught.value.stdout
    else:
        assert seed.curl(method, *form) == expected.encode()
        got = getattr(seed.theirs, method)(input1="here", input2=f"{address}/{file}")
        assert got == expected


# The table of output types


@pytest.mark.parametrize(
    ("method", "media_type", "body", "value"),
    [
        ("str_output", "text/plain; charset=utf-8", b"text", "text"),
        ("bytes_output", "", b"bytes", b"bytes"),
        ("int_output", "application/json", b"3", 3),
        ("float_output", "application/json", b"1.1", 1.1),
        ("dict_output", "application/json", b"{}", {}),
        ("list_output", "application/json", b"[]", []),
    ],
)
def test_an_output_of_a_standard_type(
    seed: Seed, method: str, media_type: str, body: bytes, value: Any
) -> None:
    reply = seed.post(method, json={})
    assert reply.content == body
    assert reply.headers["content-type"].startswith(media_type)
    assert getattr(seed.theirs, method)() == value


@pytest.mark.parametrize("method", ["torch_input", "numpy_input", "tensorflow_input"])
def test_an_output_of_a_tensor(seed: Seed, method: str) -> None:
    reply = seed.post(method, json={"input1": [[1.5, 2]]})
    assert reply.json() == [[2.5, 3]]
    assert reply.headers["content-type"] == "application/json"
    got = getattr(seed.theirs, method)(input1=[[1.5, 2]])
    assert type(got).__module__.partition(".")[0] == method.partition("_")[0]
    assert np.asarray(got).tolist() == [[2.5, 3]]


def test_an_output_of_tabular_data(seed: Seed) -> None:
    frame = pd.DataFrame({"col1": [1, 1], "col2": [2, 2]})
    pd.testing.assert_frame_equal(seed.theirs.tabular_input(input1=frame), frame + 1)


def test_an_output_of_an_image(seed: Seed) -> None:
    reply = seed.post("image_output", json={})
    assert reply.headers["content-type"] == "image/png"
    assert image_of(reply.content).size == (3, 2)
    assert seed.theirs.image_output().size == (3, 2)


def test_an_output_of_a_file(seed: Seed) -> None:
    reply = seed.post("path_output", json={})
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.text == "<p>"
    assert seed.theirs.path_output().read_text() == "<p>"


def test_an_output_of_a_custom_file(seed: Seed) -> None:
    reply = seed.post("custom_file_output", json={})
    assert reply.headers["content-type"] == "custom-type/x"
    assert reply.text == "custom"
    assert seed.theirs.custom_file_output().read_text() == "custom"


# What the document says is not supported


@pytest.fixture(scope="module")
def native(both: RunningMesh) -> Iterator[Seed]:
    headers = {"x-mesh-endpoint": NATIVE}
    theirs = bentoml.SyncHTTPClient(f"{both.url}/e/{NATIVE}", server_ready_timeout=30)
    with httpx.Client(base_url=both.url, headers=headers, timeout=30) as http:
        yield Seed(http, theirs, NATIVE)
    theirs.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        theirs._temp_dir.cleanup()  # which it leaves to the collector


@pytest.mark.parametrize("x", [5, "five", {"description": "d", "timestamp": "t"}])
def test_a_general_union(native: Seed, x: Any) -> None:
    assert native.post("union", json={"x": x}).json() == x
    assert native.theirs.union(x=x) == x
    assert native.refused("union", json={"x": [1]})["loc"][0] == "x"


def test_several_binary_outputs(native: Seed) -> None:
    urls = native.post("several_binaries", json={"count": 2}).json()
    assert [url.partition(",")[0] for url in urls] == ["data:image/png;base64"] * 2
    parts = native.post(
        "several_binaries", json={"count": 2}, headers={"accept": "multipart/mixed"}
    )
    message = email.message_from_bytes(
        f"content-type: {parts.headers['content-type']}\r\n\r\n".encode() + parts.content
    )
    bodies: Any = message.get_payload()
    sizes = [image_of(each.get_payload(decode=True)).size for each in bodies[1:]]
    assert sizes == [(1, 1), (2, 1)]


def test_several_file_outputs(native: Seed, both: RunningMesh) -> None:
    with Client(f"{both.url}/e/{NATIVE}") as client:
        paths = client.several_files(texts=["one", "two"])
        assert [path.read_text() for path in paths] == ["one", "two"]


def test_binary_mixed_with_data(native: Seed, both: RunningMesh, files: Path) -> None:
    with (files / "image.png").open("rb") as image:
        got = native.post("binary_with_data", files={"image": image}).json()
    assert (got["width"], got["image"].partition(",")[0]) == (6, "data:image/png;base64")
    with Client(f"{both.url}/e/{NATIVE}") as client:
        got = client.binary_with_data(image=files / "image.png")
    assert got["width"] == 6
