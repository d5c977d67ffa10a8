"""Triton's own clients, and curl, at a real mesh."""

import asyncio
import json
import queue
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http_client
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

from mesh.v1 import open_inference_pb2
from tests.e2e.clients import PATIENCE, Deployed
from tests.e2e.conftest import Deploy
from tests.gateway.zoo import Zoo

HEADERS = {"x-mesh-endpoint": "zoo"}  # copied for each call: the client adds its own
ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)
BIG = np.arange(400_000, dtype=np.float32).reshape(-1, 4)
FINAL = "triton_final_response"


@pytest.fixture(scope="module")
def zoo(deploy: Deploy) -> Iterator[Deployed]:
    """Zoo with a canary that gets only what asks for it."""
    # Without a setting of its own it would be the very same version, with the same replicas.
    canary = {"versions": {"next": {"weight": 0, "envs": {"RELEASE": "next"}}}}
    services = {"Zoo": {"traffic": {"max_request_bytes": 16 * 2**20}}}
    with deploy(Zoo, "zoo", canaries={"next": Zoo}, canary=canary, services=services) as deployed:
        yield deployed


@pytest.fixture
def http(zoo: Deployed) -> Iterator[http_client.InferenceServerClient]:
    with http_client.InferenceServerClient(http_url(zoo), concurrency=4) as client:
        yield client


@pytest.fixture
def grpc(zoo: Deployed) -> Iterator[grpc_client.InferenceServerClient]:
    with grpc_client.InferenceServerClient(zoo.mesh.target) as client:
        yield client


def http_url(zoo: Deployed) -> str:
    return f"{zoo.mesh.url.removeprefix('http://')}/e/zoo"


# Both kinds of client have classes of one form.
Kind = Any
KINDS = pytest.mark.parametrize("kind", [http_client, grpc_client], ids=["http", "grpc"])


def inputs(kind: Kind, *, binary: bool = True, **arrays: Any) -> list[Any]:
    return [one_input(kind, name, value, binary=binary) for name, value in arrays.items()]


def one_input(kind: Kind, name: str, value: Any, *, binary: bool, datatype: str = "") -> Any:
    array = value if isinstance(value, np.ndarray) else np.array(value)
    if array.dtype.kind in "US":
        array = array.astype(object)
    array = array.reshape(1) if array.ndim == 0 else array
    names = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "float16": "FP16"}
    names |= {"object": "BYTES", "bool": "BOOL", "uint8": "UINT8", "int32": "INT32"}
    made = kind.InferInput(name, list(array.shape), datatype or names[array.dtype.name])
    if kind is grpc_client:
        made.set_data_from_numpy(array)
    else:
        made.set_data_from_numpy(array, binary_data=binary)
    return made


def client_of(kind: Kind, zoo: Deployed) -> Any:
    target = zoo.mesh.target if kind is grpc_client else http_url(zoo)
    return kind.InferenceServerClient(target)


@KINDS
def test_the_client_finds_server_and_models(kind: Kind, zoo: Deployed) -> None:
    with client_of(kind, zoo) as client:
        more: Any = {"headers": dict(HEADERS)}
        json_too = more | ({"as_json": True} if kind is grpc_client else {})
        assert client.is_server_live(**more)
        assert client.is_server_ready(**more)
        assert client.is_model_ready("Zoo.double", **more)
        assert client.is_model_ready("double", "next", **more)
        assert client.get_server_metadata(**json_too)["name"] == "serving-mesh"
        metadata = client.get_model_metadata("Zoo.double", **json_too)
        assert metadata["versions"] == ["main", "next"]
        assert [each["name"] for each in metadata["inputs"]] == ["rows", "factor"]
        assert [int(each) for each in metadata["inputs"][0]["shape"]] == [-1, 4]
        config = client.get_model_config("Zoo.tokens", **json_too)
        config = config.get("config", config)
        assert config["model_transaction_policy"]["decoupled"] is True
        assert config["input"][0]["data_type"] == "TYPE_STRING"
        index = client.get_model_repository_index(**json_too)
        index = index["models"] if isinstance(index, dict) else index
        names = {(each["name"], each["version"], each["state"]) for each in index}
        assert {("Zoo.double", "main", "READY"), ("Zoo.double", "next", "READY")} <= names
        for call in (
            lambda: client.load_model("Zoo.double", **more),
            lambda: client.get_inference_statistics("Zoo.double", **more),
            lambda: client.get_system_shared_memory_status(**more),
        ):
            with pytest.raises(InferenceServerException):
                call()


CASES: dict[str, tuple[str, Any, str, Any]] = {
    "float32": ("double", {"rows": ROWS}, "result", ROWS * 2),
    "large": ("double", {"rows": BIG, "factor": 3.0}, "result", BIG * 3),
    "float16": ("half", {"x": np.array([[0.5, 3]], np.float16)}, "half", [[1, 6]]),
    "text": ("generate", {"text_input": "aü", "times": 2}, "text_output", ["aüaü".encode()]),
    "texts": ("shout", {"words": ["a", "bc"]}, "result", [b"A", b"BC"]),
    "bytes": ("size", {"data": np.array([b"\xff\0a"], object)}, "result", [3]),
    "booleans": ("echo", {"x": np.array([True, False])}, "result", [True, False]),
    "small numbers": ("echo", {"x": np.array([[1, 255]], np.uint8)}, "result", [[1, 255]]),
    "scalars": ("add", {"a": 2, "b": 40}, "result", [42]),
    "a root input": ("root", {"x": 1.5}, "result", [2.5]),
}


@KINDS
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tensors_of_every_sort_go_there_and_back(kind: Kind, case: str, zoo: Deployed) -> None:
    model, arrays, output, want = CASES[case]
    with client_of(kind, zoo) as client:
        result = client.infer(
            f"Zoo.{model}", inputs(kind, **arrays), request_id="7", headers=dict(HEADERS)
        )
        found = result.as_numpy(output)
        assert found.tolist() == np.asarray(want).tolist() if case != "texts" else list(want)
        response = result.get_response()
        name = response.model_name if kind is grpc_client else response["model_name"]
        assert name == f"Zoo.{model}"


@pytest.mark.parametrize("case", ["float32", "text", "texts", "booleans", "scalars", "large"])
def test_tensors_in_json_go_there_and_back(case: str, http: Any) -> None:
    model, arrays, output, want = CASES[case]
    outputs = [http_client.InferRequestedOutput(output, binary_data=False)]
    result = http.infer(
        f"Zoo.{model}", inputs(http_client, binary=False, **arrays), outputs=outputs
    )
    assert "data" in result.get_output(output)
    found = result.as_numpy(output).tolist()
    want = np.asarray(want).tolist()
    assert found == [each.decode() if isinstance(each, bytes) else each for each in want]


@KINDS
def test_bfloat16_goes_there_and_back(kind: Kind, zoo: Deployed) -> None:
    with client_of(kind, zoo) as client:
        x = one_input(kind, "x", np.array([1.5, -2], np.float32), binary=True, datatype="BF16")
        result = client.infer("Zoo.brain", [x], headers=dict(HEADERS))
        assert result.as_numpy("result").tolist() == [3, -4]
        output = result.get_output("result")
        assert (output["datatype"] if kind is http_client else output.datatype) == "BF16"


@KINDS
def test_several_outputs_and_those_that_are_asked_for(kind: Kind, zoo: Deployed) -> None:
    with client_of(kind, zoo) as client:
        given = inputs(kind, rows=ROWS)
        whole = client.infer("Zoo.describe", given, headers=dict(HEADERS))
        assert whole.as_numpy("mean").tolist() == [3.5]
        assert whole.as_numpy("rows").tolist() == [2]
        assert whole.as_numpy("sums").tolist() == ROWS.sum(axis=0).tolist()
        wanted = [kind.InferRequestedOutput("best")]
        some = client.infer("Zoo.judge", given, outputs=wanted, headers=dict(HEADERS))
        assert some.as_numpy("best").tolist() == [3, 3]
        assert some.as_numpy("scores") is None


@KINDS
def test_a_version_is_a_version_of_the_deployment(kind: Kind, zoo: Deployed) -> None:
    with client_of(kind, zoo) as client:
        for version, want in (("", b"main"), ("main", b"main"), ("next", b"next")):
            result = client.infer("Zoo.version", [], model_version=version, headers=dict(HEADERS))
            assert result.as_numpy("result").tolist() == [want]
        with pytest.raises(InferenceServerException, match="none"):
            client.infer("Zoo.version", [], model_version="none", headers=dict(HEADERS))


@KINDS
def test_what_is_wrong_is_an_error_with_its_status_and_the_next_call_works(
    kind: Kind, zoo: Deployed
) -> None:
    with client_of(kind, zoo) as client:
        statuses = {
            "Zoo.nothing": ("404", "StatusCode.NOT_FOUND"),
            "Zoo.refuse": ("422", "StatusCode.FAILED_PRECONDITION"),
            "Zoo.double": ("400", "StatusCode.INVALID_ARGUMENT"),
        }
        for model, (status, code) in statuses.items():
            with pytest.raises(InferenceServerException) as raised:
                client.infer(model, inputs(kind, x=1), headers=dict(HEADERS))
            assert raised.value.status() == (code if kind is grpc_client else status)
        assert "x: there is no such input" in raised.value.message()
        result = client.infer("Zoo.add", inputs(kind, a=1), headers=dict(HEADERS))
        assert result.as_numpy("result").tolist() == [2]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_http_bodies_may_be_compressed(algorithm: str, http: Any) -> None:
    result = http.infer(
        "Zoo.double",
        inputs(http_client, rows=BIG),
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    assert result.as_numpy("result").tolist() == (BIG * 2).tolist()


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_grpc_messages_may_be_compressed(algorithm: str, grpc: Any) -> None:
    result = grpc.infer(
        "Zoo.double",
        inputs(grpc_client, rows=BIG),
        headers=dict(HEADERS),
        compression_algorithm=algorithm,
    )
    assert result.as_numpy("result").tolist() == (BIG * 2).tolist()
    stream = Stream(grpc, compression_algorithm=algorithm)
    stream.send("Zoo.double", "1", rows=BIG)
    ((result, error),) = stream.take(1)
    assert error is None
    assert result.as_numpy("result").tolist() == (BIG * 2).tolist()
    assert stream.close() == []


def test_calls_side_by_side_get_their_own_results(http: Any, grpc: Any) -> None:
    asked = [http.async_infer("Zoo.add", inputs(http_client, a=n)) for n in range(20)]
    assert [each.get_result().as_numpy("result")[0] for each in asked] == list(range(1, 21))
    found: queue.Queue[Any] = queue.Queue()

    def take(result: Any, error: Any) -> None:
        found.put((result, error))

    for n in range(20):
        grpc.async_infer("Zoo.add", inputs(grpc_client, a=n), take, headers=dict(HEADERS))
    results = [found.get(timeout=PATIENCE) for _ in range(20)]
    assert not [error for _, error in results if error is not None]
    assert sorted(result.as_numpy("result")[0] for result, _ in results) == list(range(1, 21))


class Stream:
    """The responses of a stream of tritonclient's."""

    def __init__(self, client: Any, **how: Any) -> None:
        self.client = client
        self._found: queue.Queue[Any] = queue.Queue()
        how["headers"] = dict(HEADERS)
        client.start_stream(lambda result, error: self._found.put((result, error)), **how)

    def send(self, model: str, number: str, *, final: bool = False, **arrays: Any) -> None:
        self.client.async_stream_infer(
            model,
            inputs(grpc_client, **arrays),
            request_id=number,
            enable_empty_final_response=final,
        )

    def take(self, count: int) -> list[Any]:
        return [self._found.get(timeout=PATIENCE) for _ in range(count)]

    def close(self) -> list[Any]:
        self.client.stop_stream()
        return [self._found.get() for _ in range(self._found.qsize())]


def is_final(result: Any) -> bool:
    final: bool = result.get_response().parameters[FINAL].bool_param
    return final


def test_a_stream_has_a_response_for_each_request(grpc: Any) -> None:
    stream = Stream(grpc)
    for n in range(50):
        stream.send("Zoo.add", str(n), a=n)
    found = stream.take(50)
    assert [error for _, error in found] == [None] * 50
    assert [result.get_response().id for result, _ in found] == [str(n) for n in range(50)]
    assert [result.as_numpy("result")[0] for result, _ in found] == list(range(1, 51))
    assert stream.close() == []


def test_a_stream_has_many_responses_of_a_method_that_yields(grpc: Any) -> None:
    stream = Stream(grpc)
    stream.send("Zoo.tokens", "1", text_input="to be or", final=True)
    found = [result for result, _ in stream.take(4)]
    assert [each.as_numpy("text_output")[0] for each in found[:3]] == [b"to", b"be", b"or"]
    assert [is_final(each) for each in found] == [False, False, False, True]
    assert len(found[3].get_response().outputs) == 0
    stream.send("Zoo.countdown", "2", n=2)
    assert [result.as_numpy("result")[0] for result, _ in stream.take(2)] == [2, 1]
    assert stream.close() == [], "no empty response that nobody asked for"


def test_an_error_in_a_stream_leaves_the_stream_as_it_was(grpc: Any) -> None:
    stream = Stream(grpc)
    stream.send("Zoo.refuse", "1", x=1)
    ((result, error),) = stream.take(1)
    assert result is None
    assert error.message() == "not before noon"
    stream.send("Zoo.add", "2", a=1)
    ((result, error),) = stream.take(1)
    assert (result.as_numpy("result")[0], error) == (2, None)
    assert stream.close() == []


def aio(test: Callable[[Deployed], Coroutine[Any, Any, None]]) -> Callable[[Deployed], None]:
    def wrapped(zoo: Deployed) -> None:
        asyncio.run(test(zoo))

    wrapped.__name__ = test.__name__
    return wrapped


@aio
async def test_the_asyncio_client_over_http(zoo: Deployed) -> None:
    async with http_aio.InferenceServerClient(http_url(zoo)) as client:
        assert await client.is_server_ready()
        assert (await client.get_model_metadata("Zoo.double"))["name"] == "Zoo.double"
        calls = [client.infer("Zoo.double", inputs(http_client, rows=ROWS * n)) for n in range(8)]
        for n, result in enumerate(await asyncio.gather(*calls)):
            assert result.as_numpy("result").tolist() == (ROWS * n * 2).tolist()
        with pytest.raises(InferenceServerException, match="not before noon"):
            await client.infer("Zoo.refuse", inputs(http_client, x=1))


@aio
async def test_the_asyncio_client_over_grpc(zoo: Deployed) -> None:
    async with grpc_aio.InferenceServerClient(zoo.mesh.target) as client:
        assert await client.is_model_ready("Zoo.double", headers=dict(HEADERS))
        calls = [
            client.infer("Zoo.double", inputs(grpc_client, rows=ROWS * n), headers=dict(HEADERS))
            for n in range(8)
        ]
        for n, result in enumerate(await asyncio.gather(*calls)):
            assert result.as_numpy("result").tolist() == (ROWS * n * 2).tolist()

        async def requests() -> Any:
            for number, text in enumerate(("a b", "c")):
                yield {
                    "model_name": "Zoo.tokens",
                    "inputs": inputs(grpc_client, text_input=text),
                    "request_id": str(number),
                    "parameters": {"triton_enable_empty_final_response": True},
                }

        found: dict[str, list[bytes]] = {"0": [], "1": []}
        ended = set()
        async for result, error in client.stream_infer(requests(), headers=dict(HEADERS)):
            assert error is None
            number = result.get_response().id
            if is_final(result):
                ended.add(number)
                continue
            found[number].append(result.as_numpy("text_output")[0])
        assert found == {"0": [b"a", b"b"], "1": [b"c"]}
        assert ended == {"0", "1"}


def curl(zoo: Deployed, path: str, *arguments: str) -> str:
    command = ["curl", "-sS", "-m", "20", f"{zoo.mesh.url}/e/zoo/v2{path}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_curl_needs_no_client(zoo: Deployed) -> None:
    assert json.loads(curl(zoo, ""))["name"] == "serving-mesh"
    body = '{"inputs": [{"name": "a", "datatype": "INT64", "shape": [1], "data": [41]}]}'
    answer = json.loads(curl(zoo, "/models/add/infer", "-d", body))
    assert answer["outputs"] == [
        {"name": "result", "datatype": "INT64", "shape": [1], "data": [42]}
    ]
    generated = json.loads(curl(zoo, "/models/generate/generate", "-d", '{"text_input": "ab"}'))
    assert generated["text_output"] == "ab"
    events = curl(zoo, "/models/tokens/generate_stream", "-N", "-d", '{"text_input": "to be"}')
    texts = [json.loads(line.removeprefix("data: ")) for line in events.split("\n\n") if line]
    assert [each["text_output"] for each in texts] == ["to", "be"]
    status = curl(zoo, "/models/none/infer", "-d", "{}", "-o", "/dev/null", "-w", "%{http_code}")
    assert status == "404"


def test_the_messages_of_the_client_and_ours_are_in_one_process() -> None:
    theirs = grpc_client.service_pb2.ModelInferRequest(model_name="a")
    theirs.inputs.add(name="x", datatype="FP32", shape=[2]).contents.fp32_contents.extend([1, 2])
    ours = open_inference_pb2.ModelInferRequest.FromString(theirs.SerializeToString())
    assert ours.SerializeToString() == theirs.SerializeToString()
    for name, message in open_inference_pb2.DESCRIPTOR.message_types_by_name.items():
        for field in message.fields:
            known = getattr(grpc_client.service_pb2, name, None)
            known = known or getattr(grpc_client.model_config_pb2, name)
            same = known.DESCRIPTOR.fields_by_name[field.name]
            assert (same.number, same.type) == (field.number, field.type), (name, field.name)
