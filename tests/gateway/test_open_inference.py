"""The Open Inference Protocol over HTTP, at a gateway in memory."""

import gzip
import json
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gateway.open_inference_metadata import server_metadata
from mesh.edge import Cors, Dialect, Edge
from mesh.io.open_inference import media
from mesh.io.open_inference.media import Body
from mesh.traffic.snapshot import Snapshot
from tests.gateway.asgi_client import Exchange, Headers, Reply, ask
from tests.gateway.rig import World, world
from tests.gateway.services import Demo
from tests.gateway.zoo import Zoo
from tests.link.rig import run, until
from tests.replica.rig import Running, snapshot, version

Test = Callable[[World], Coroutine[Any, Any, None]]


def at_zoo(test: Test) -> Callable[[], None]:
    """Runs an async test with a replica of Zoo under `main` and another under `next`."""

    def wrapped() -> None:
        async def main() -> None:
            table = snapshot(
                version(Zoo, {"Zoo": ("one",)}),
                version(Zoo, {"Zoo": ("two",)}, name="next", weight=0),
            )
            replicas = (Running(Zoo(), "one"), Running(Zoo(), "two", version="next"))
            async with world(*replicas, table=table) as made:
                await test(made)

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


async def post(
    made: World, path: str, body: Any, headers: Headers = (), *, raw: bytes = b""
) -> Reply:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ask(made.gateway, "POST", path, data + raw, headers)


def infer(model: str, version: str = "") -> str:
    return f"/v2/models/{model}{f'/versions/{version}' if version else ''}/infer"


def tensor(name: str, datatype: str, shape: list[int], data: Any = None, **more: Any) -> Any:
    made = {"name": name, "datatype": datatype, "shape": shape}
    return made | ({} if data is None else {"data": data}) | ({"parameters": more} if more else {})


def error(reply: Reply) -> str:
    said = json.loads(reply.body)
    assert list(said) == ["error"], said
    text: str = said["error"]
    return text


ROWS = tensor("rows", "FP32", [1, 4], [1, 2, 3, 4])


async def still_infers(made: World) -> None:
    reply = await post(made, infer("Zoo.double"), {"inputs": [ROWS]})
    assert reply.status == 200, reply.body


@at_zoo
async def test_the_server_says_what_it_is_and_that_it_is_well(made: World) -> None:
    server = json.loads((await made.get("/v2")).body)
    assert server["name"] == "serving-mesh"
    assert "binary_tensor_data" in server["extensions"]
    assert (await made.get("/v2/health/live")).status == 200
    assert (await made.get("/v2/health/ready")).status == 200
    assert (await made.get("/e/demo/v2/health/ready")).status == 200
    head = await made.get("/v2", verb="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_what_the_server_says_is_read_once() -> None:
    assert server_metadata() is server_metadata()


@at_zoo
async def test_a_model_says_its_tensors_and_its_versions(made: World) -> None:
    said = json.loads((await made.get("/v2/models/Zoo.double")).body)
    assert said == {
        "name": "Zoo.double",
        "versions": ["main", "next"],
        "platform": "serving-mesh",
        "inputs": [
            {"name": "rows", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "factor", "datatype": "FP64", "shape": [1]},
        ],
        "outputs": [{"name": "result", "datatype": "FP64", "shape": [-1]}],
    }
    one = json.loads((await made.get("/v2/models/double/versions/next")).body)
    assert one["versions"] == ["next"]
    assert (await made.get("/v2/models/double/versions/next/ready")).status == 200
    config = json.loads((await made.get("/v2/models/Zoo.tokens/config")).body)
    assert config["model_transaction_policy"] == {"decoupled": True}
    assert config["input"][1] == {
        "name": "fail_after",
        "data_type": "TYPE_INT64",
        "dims": [1],
        "optional": True,
    }


@at_zoo
async def test_the_index_has_every_model_in_every_version_and_nothing_else(made: World) -> None:
    reply = await post(made, "/v2/repository/index", b"")
    listed = json.loads(reply.body)
    names = {each["name"] for each in listed}
    assert {each["version"] for each in listed} == {"main", "next"}
    assert {each["state"] for each in listed} == {"READY"}
    assert {"Zoo.double", "Zoo.tokens", "Zoo.version"} <= names
    assert not names & {"Zoo.anything", "Zoo.total", "Zoo.nested"}
    assert (await made.get("/v2/repository/index")).status == 405


@at_zoo
async def test_tensors_in_json_give_tensors_in_json(made: World) -> None:
    request = {"id": "7", "inputs": [ROWS, tensor("factor", "FP64", [1], [3.0])]}
    reply = await post(made, infer("Zoo.double"), request)
    assert reply.header("x-mesh-version") == "main"
    assert reply.header("content-type") == "application/json"
    assert json.loads(reply.body) == {
        "id": "7",
        "model_name": "Zoo.double",
        "model_version": "main",
        "outputs": [{"name": "result", "datatype": "FP32", "shape": [1, 4], "data": [3, 6, 9, 12]}],
    }


@at_zoo
async def test_each_field_of_a_result_is_an_output(made: World) -> None:
    reply = await post(made, infer("describe"), {"inputs": [ROWS]})
    outputs = json.loads(reply.body)["outputs"]
    assert [(each["name"], each["datatype"], each["data"]) for each in outputs] == [
        ("mean", "FP64", [2.5]),
        ("rows", "INT64", [1]),
        ("sums", "FP32", [1, 2, 3, 4]),
    ]
    wanted = {"inputs": [ROWS], "outputs": [{"name": "best"}]}
    reply = await post(made, infer("judge"), wanted)
    (only,) = json.loads(reply.body)["outputs"]
    assert only == {"name": "best", "datatype": "INT64", "shape": [1], "data": [3]}
    reply = await post(made, infer("judge"), {"inputs": [ROWS]})
    names = [each["name"] for each in json.loads(reply.body)["outputs"]]
    assert names == ["scores", "best"], "without what is None"
    reply = await post(made, infer("named"), {"inputs": [tensor("x", "FP32", [], [2])]})
    assert [each["name"] for each in json.loads(reply.body)["outputs"]] == ["plus", "minus"]


@at_zoo
async def test_tensors_as_bytes_give_tensors_as_bytes_where_they_are_asked_for(made: World) -> None:
    raw = np.arange(8, dtype="<f4").tobytes()
    request = json.dumps(
        {
            "inputs": [
                tensor("rows", "FP32", [2, 4], binary_data_size=len(raw)),
                tensor("factor", "FP32", [1], binary_data_size=4),
            ],
            "outputs": [{"name": "result", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = [("inference-header-content-length", str(len(request)))]
    more = raw + np.float32(2).tobytes()
    reply = await post(made, infer("Zoo.double"), request, headers, raw=more)
    assert reply.status == 200, reply.body
    size = int(reply.header("inference-header-content-length"))
    (output,) = json.loads(reply.body[:size])["outputs"]
    assert output["parameters"] == {"binary_data_size": 32}
    assert np.frombuffer(reply.body[size:], "<f4").tolist() == (np.arange(8) * 2).tolist()
    assert int(reply.header("content-length")) == len(reply.body)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_may_be_compressed_both_ways(encoding: str) -> None:
    compress = gzip.compress if encoding == "gzip" else zlib.compress

    @at_zoo
    async def check(made: World) -> None:
        body = compress(json.dumps({"inputs": [ROWS]}).encode())
        headers = [("content-encoding", encoding), ("accept-encoding", encoding)]
        reply = await post(made, infer("Zoo.double"), body, headers)
        assert reply.header("content-encoding") == encoding
        plain = zlib.decompress(reply.body, wbits=47)
        assert json.loads(plain)["outputs"][0]["data"] == [2, 4, 6, 8]
        bomb = compress(b" " * 2**21)
        reply = await post(made, infer("Zoo.double"), bomb, headers)
        assert (reply.status, error(reply)) == (413, "the request body has more than 1048576 bytes")
        for broken in (body[:-3], body + b"x", b"no such thing"):
            reply = await post(made, infer("Zoo.double"), broken, headers)
            assert reply.status == 400
            assert encoding in error(reply)
        await still_infers(made)

    check()


@at_zoo
async def test_a_version_is_chosen_by_path_as_by_header(made: World) -> None:
    for path, headers in (
        (infer("version", "next"), ()),
        (infer("version"), [("x-mesh-version", "next")]),
    ):
        reply = await post(made, path, {"inputs": []}, headers)
        said = json.loads(reply.body)
        assert (said["model_version"], said["outputs"][0]["data"]) == ("next", ["next"])
    reply = await post(made, infer("version", "none"), {"inputs": []})
    assert reply.status == 404
    assert "'none'" in error(reply)


@at_zoo
async def test_generate_takes_an_object_and_gives_one(made: World) -> None:
    path = "/v2/models/Zoo.generate/generate"
    body = {"id": "1", "text_input": "ab", "parameters": {"times": 2, "temperature": 0}}
    reply = await post(made, path, body)
    assert json.loads(reply.body) == {
        "id": "1",
        "model_name": "Zoo.generate",
        "model_version": "main",
        "text_output": "abab",
    }
    reply = await post(made, path, {"text": "a"})
    assert reply.status == 400
    assert "text: there is no such input; there is text_input, times" in error(reply)
    reply = await post(made, "/v2/models/tokens/generate", {"text_input": "a b"})
    assert reply.status == 400
    assert "generate_stream" in error(reply)


@at_zoo
async def test_generate_stream_gives_events(made: World) -> None:
    path = "/v2/models/Zoo.tokens/generate_stream"
    reply = await post(made, path, {"text_input": "to be"})
    assert reply.header("content-type").startswith("text/event-stream")
    events = [json.loads(part.removeprefix(b"data: ")) for part in reply.parts]
    assert [each["text_output"] for each in events] == ["to", "be"]
    assert reply.parts[0].endswith(b"\n\n")
    once = await post(made, "/v2/models/generate/generate_stream", {"text_input": "a"})
    assert json.loads(once.body.removeprefix(b"data: "))["text_output"] == "a"
    broken = await post(made, path, {"text_input": "to be or", "fail_after": 1})
    assert broken.parts[-1] == b'data: {"error":"no more words"}\n\n'
    assert not broken.is_whole


@at_zoo
async def test_what_is_not_served_says_so(made: World) -> None:
    for verb, path, status in (
        ("GET", "/v2/models/Zoo.double/stats", 501),
        ("GET", "/v2/models/stats", 501),
        ("POST", "/v2/repository/models/Zoo.double/load", 501),
        ("POST", "/v2/repository/models/Zoo.double/unload", 501),
        ("GET", "/v2/systemsharedmemory/status", 501),
        ("POST", "/v2/logging", 501),
        ("GET", "/v2/nowhere", 404),
        ("GET", "/v2/models/Zoo.nothing", 404),
        ("GET", "/v2/models/Zoo.anything", 404),
        ("POST", "/v2/models/Zoo.total/infer", 404),
        ("GET", "/v2/models/Zoo.double/infer", 405),
    ):
        reply = await ask(made.gateway, verb, path)
        assert reply.status == status, (path, reply.status)
        assert error(reply)
    await still_infers(made)


@at_zoo
async def test_a_method_at_such_a_path_comes_first(made: World) -> None:
    reply = await post(made, "/v2/models/own", {"a": 3})
    assert reply.body == b"3"
    assert (await made.get("/v2/models/Zoo.own")).status == 200, "which is a model as well"


def test_other_methods_below_v2_are_reached_as_before() -> None:
    async def main() -> None:
        table = snapshot(version(Demo, {"Demo": ("one",)}))
        async with world(Running(Demo(), "one"), table=table) as made:
            assert (await made.post("/v2/sum", {"numbers": [1, 2]})).body == b"3"
            reply = await post(
                made, infer("add"), {"inputs": [tensor("numbers", "INT64", [2], [1, 2])]}
            )
            assert json.loads(reply.body)["outputs"][0]["data"] == [3]

    run(main())


def test_a_gateway_without_endpoints_is_alive_and_not_ready() -> None:
    async def main() -> None:
        async with world(Running(Zoo(), "one"), table=Snapshot(number=1)) as made:
            assert (await made.get("/v2/health/live")).status == 200
            assert (await made.get("/v2/health/ready")).status == 503
            assert (await made.get("/v2/models/double")).status == 404
            assert (await post(made, infer("double"), {})).status == 404

    run(main())


@at_zoo
async def test_calls_are_counted_as_those_of_the_method(made: World) -> None:
    await still_infers(made)
    await post(made, infer("double"), {})
    await made.get("/v2/models/double")
    assert made.codes("double") == {"200": 1, "400": 1}


def test_services_of_another_dialect_speak_the_protocol_all_the_same() -> None:
    async def main() -> None:
        found = version(Zoo, {"Zoo": ("one",)})
        edge = Edge(dialect=Dialect.BENTOML, cors=Cors(origins=("http://shop.example",)))
        services = {name: replace(each, edge=edge) for name, each in found.services.items()}
        table = snapshot(replace(found, services=services))
        async with world(Running(Zoo(), "one"), table=table) as made:
            origin = [("origin", "http://shop.example")]
            reply = await post(made, infer("double"), {"inputs": [ROWS]}, origin)
            assert json.loads(reply.body)["outputs"][0]["data"] == [2, 4, 6, 8]
            assert reply.header("access-control-allow-origin") == "http://shop.example"
            reply = await post(made, infer("refuse"), {"inputs": [tensor("x", "INT64", [1], [1])]})
            assert (reply.status, error(reply)) == (422, "not before noon")
            assert (await made.get("/v2/models/double")).status == 200

    run(main())


def test_without_a_replica_a_model_is_there_and_not_ready() -> None:
    async def main() -> None:
        table = snapshot(version(Zoo, {}))
        async with world(Running(Zoo(), "one"), table=table) as made:
            assert (await made.get("/v2/health/ready")).status == 503
            assert (await made.get("/v2/models/double")).status == 200
            reply = await made.get("/v2/models/double/ready")
            assert (reply.status, error(reply)) == (
                503,
                "no replica of model 'Zoo.double' is ready",
            )
            (state, *_) = {
                each["state"]
                for each in json.loads((await post(made, "/v2/repository/index", b"")).body)
            }
            assert state == "UNAVAILABLE"

    run(main())


@at_zoo
async def test_a_failure_has_its_status_and_one_text(made: World) -> None:
    for model, status, text in (
        ("crash", 500, "An unexpected error has occurred, please check the server log."),
        ("refuse", 422, "not before noon"),
    ):
        reply = await post(made, infer(model), {"inputs": [tensor("x", "INT64", [1], [1])]})
        assert (reply.status, error(reply)) == (status, text)
    await still_infers(made)


BAD: dict[str, tuple[Any, str]] = {
    "another datatype": ([tensor("rows", "FP64", [1, 4], [1, 2, 3, 4])], "rows"),
    "no datatype": ([tensor("rows", "FLOAT", [1, 4], [1, 2, 3, 4])], "rows: there is no datatype"),
    "another shape": ([tensor("rows", "FP32", [1, 2], [1, 2])], "rows"),
    "too few elements": ([tensor("rows", "FP32", [1, 4], [1, 2])], "rows: FP32 of shape [1,4]"),
    "ragged lists": ([tensor("rows", "FP32", [1, 4], [[1, 2], [3]])], "rows"),
    "a huge shape": ([tensor("rows", "FP32", [2**40, 4], [1])], "rows"),
    "many empty lists": ([tensor("rows", "FP32", [2**40, 0], [])], "rows: the shape has no elem"),
    "a negative extent": ([tensor("rows", "FP32", [-1, 4], [1, 2, 3, 4])], "rows: an extent"),
    "an extent that is none": ([tensor("rows", "FP32", [1.0, 4], [1])], "rows: an extent"),
    "no shape": ([{"name": "rows", "datatype": "FP32", "data": []}], "rows: the shape"),
    "text for numbers": ([tensor("rows", "FP32", [1, 4], ["a", "b", "c", "d"])], "rows"),
    "no data": ([tensor("rows", "FP32", [1, 4])], "rows: the data is no list"),
    "bytes that are not there": (
        [tensor("rows", "FP32", [1, 4], binary_data_size=16)],
        "rows: binary_data_size is 16, and 0 bytes are left",
    ),
    "shared memory": ([tensor("rows", "FP32", [1, 4], shared_memory_region="r")], "rows: shared"),
    "twice the same": ([ROWS, ROWS], "rows: there are two inputs"),
    "an unknown input": ([ROWS, tensor("more", "FP32", [1], [1])], "more: there is no such input"),
    "a missing input": ([], "rows: Field required"),
    "a scalar of two": ([ROWS, tensor("factor", "FP64", [2], [1, 2])], "factor: one element"),
    "text for a scalar": (
        [ROWS, tensor("factor", "BYTES", [1], ["1"])],
        "factor: elements of FP64",
    ),
    "no list": ("rows", "inputs: This is no list"),
    "no name": ([{"shape": [1]}], "inputs: There is a tensor without a name"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_tensors_are_named(case: str) -> None:
    inputs, text = BAD[case]

    @at_zoo
    async def check(made: World) -> None:
        reply = await post(made, infer("Zoo.double"), {"inputs": inputs})
        assert reply.status == 400, reply.body
        assert text in error(reply)
        await still_infers(made)

    check()


@at_zoo
async def test_bodies_that_are_no_request_are_refused(made: World) -> None:
    deep = b'{"inputs":' + b"[" * 100_000
    for body, headers in (
        (b"{", ()),
        (b"[]", ()),
        (deep, ()),
        (b"\xff\xfe", ()),
        (b'{"id": 3, "inputs": []}', ()),
        (b'{"inputs": []}', [("inference-header-content-length", "1000")]),
        (b'{"inputs": []}xx', [("inference-header-content-length", "14")]),
        (b'{"inputs": []}', [("inference-header-content-length", "-1")]),
        (b'{"inputs": []}', [("inference-header-content-length", "9" * 5000)]),
        (b'{"inputs": [], "outputs": [{"name": "none"}]}', ()),
        (b'{"inputs": [], "parameters": 3}', ()),
    ):
        reply = await post(made, infer("Zoo.double"), body, headers)
        assert reply.status == 400, (body[:20], reply.status)
        assert error(reply)
    reply = await post(made, infer("Zoo.double"), b" " * (2**20 + 1))
    assert reply.status == 413
    assert error(reply)
    await still_infers(made)


@at_zoo
async def test_a_client_cannot_say_what_only_the_gateway_says_of_a_body(made: World) -> None:
    said = str(Body(media.JSON, "Zoo.add", "main", encoding="gzip", limit=2**40))
    body = gzip.compress(json.dumps({"inputs": []}).encode())
    reply = await post(made, "/add", body, [("content-type", said)])
    assert reply.status == 415
    reply = await post(made, infer("add"), body, [("content-type", said)])
    assert reply.status == 400, "where it has no meaning"
    await still_infers(made)


@at_zoo
async def test_bytes_that_are_no_text_have_to_be_asked_for_as_bytes(made: World) -> None:
    request = {"inputs": [tensor("size", "INT64", [1], [2])]}
    reply = await post(made, infer("blob"), request)
    assert reply.status == 400
    assert "result: an element is no text" in error(reply)
    reply = await post(made, infer("blob"), request | {"parameters": {"binary_data_output": True}})
    size = int(reply.header("inference-header-content-length"))
    assert reply.body[size:] == b"\x02\0\0\0\xff\xff"


@at_zoo
async def test_a_client_that_leaves_ends_its_call(made: World) -> None:
    instance = made.links.replicas["one"].instance
    exchange = Exchange(made.gateway, "POST", infer("wait"))
    body = json.dumps({"inputs": [tensor("x", "INT64", [1], [1])]}).encode()
    await exchange.feed(body)
    await until(lambda: instance.started == 1)
    await exchange.leave()
    await until(lambda: instance.ended == 1)
    await exchange.done()
    await made.settled()
