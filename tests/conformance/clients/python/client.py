"""Calls every method of the conformance service with a stub generated from its .proto."""

import math
import os
import struct
import sys
from collections.abc import Callable
from queue import SimpleQueue

import grpc
from conformance.v1 import conformance_pb2 as pb, conformance_pb2_grpc
from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from google.rpc import error_details_pb2, status_pb2

from mesh.v1 import types_pb2 as mesh

SECONDS = 20
CASES: list[Callable[[], None]] = []
channel = grpc.insecure_channel(
    sys.argv[1], options=[("grpc.max_receive_message_length", 16 << 20)]
)
stub = conformance_pb2_grpc.ConformanceServiceStub(channel)


def case(check: Callable[[], None]) -> Callable[[], None]:
    CASES.append(check)
    return check


def same(seen: object, expected: object) -> None:
    if seen != expected:
        raise AssertionError(f"{seen!r} is not {expected!r}")


def failure(call: Callable[[], object]) -> grpc.RpcError:
    try:
        seen = call()
    except grpc.RpcError as error:
        return error
    raise AssertionError(f"no error but {seen!r}")


def details(error: grpc.RpcError) -> list[object]:
    """The details of an error: google.rpc.BadRequest and RetryInfo."""
    encoded = dict(error.trailing_metadata())["grpc-status-details-bin"]
    kinds = (error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    return [
        kind.FromString(detail.value)
        for detail in status_pb2.Status.FromString(encoded).details
        for kind in kinds
        if detail.Is(kind.DESCRIPTOR)
    ]


def fields(error: grpc.RpcError) -> list[str]:
    """The fields that a failed call says are wrong."""
    same(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
    (bad,) = details(error)
    return [each.field for each in bad.field_violations]


@case
def scalars() -> None:
    value = pb.Scalars(
        text="Grüße, 世界 🚀", whole=-(2**63), real=-0.1, truth=True, binary=b"\x00\xff\x80"
    )
    reply = stub.Scalars(pb.ScalarsRequest(value=value), timeout=SECONDS)
    same(reply.result, value)


@case
def zeros() -> None:
    reply = stub.Scalars(pb.ScalarsRequest(value=pb.Scalars()), timeout=SECONDS)
    same(reply, pb.ScalarsResponse(result=pb.Scalars()))


@case
def lists() -> None:
    value = pb.Lists(
        names=["a", "", "c"],
        numbers=[3, -1, 2**62],
        unique=[2, 1, 2],
        many=[0.5, 1.5, 2.5],
        pair=pb.Int64AndStringTuple(item1=7, item2="seven"),
        rows=[pb.DoubleList(items=[1, 2]), pb.DoubleList(), pb.DoubleList(items=[3])],
        points=[pb.Point(x=1, y=2.5), pb.Point()],
    )
    result = stub.Lists(pb.ListsRequest(value=value), timeout=SECONDS).result
    same(sorted(result.unique), [1, 2])
    result.unique[:] = value.unique
    same(result, value)


@case
def empty_lists() -> None:
    value = pb.Lists(pair=pb.Int64AndStringTuple())
    same(stub.Lists(pb.ListsRequest(value=value), timeout=SECONDS).result, value)


@case
def maps() -> None:
    value = pb.Maps(
        counts={"one": 1, "": 0},
        names={-1: "minus", 0: "zero"},
        rows={"odd": pb.Int64List(items=[1, 3]), "none": pb.Int64List()},
        points={"here": pb.Point(x=1, y=2.5)},
    )
    same(stub.Maps(pb.MapsRequest(value=value), timeout=SECONDS).result, value)


@case
def absent() -> None:
    result = stub.Optionals(pb.OptionalsRequest(value=pb.Optionals()), timeout=SECONDS).result
    same(result.HasField("maybe"), False)
    same(result, pb.Optionals(number=5, text="fallback"))


@case
def given() -> None:
    value = pb.Optionals(maybe=0, number=0, text="", point=pb.Point())
    result = stub.Optionals(pb.OptionalsRequest(value=value), timeout=SECONDS).result
    same(result.HasField("maybe"), True)
    same(result, value)


@case
def either_whole() -> None:
    reply = stub.Either(pb.EitherRequest(value_int=7), timeout=SECONDS)
    same((reply.WhichOneof("result"), reply.result_int), ("result_int", 7))


@case
def either_text() -> None:
    reply = stub.Either(pb.EitherRequest(value_str="seven"), timeout=SECONDS)
    same((reply.WhichOneof("result"), reply.result_str), ("result_str", "seven"))


@case
def form() -> None:
    circle, rectangle = pb.Circle(radius=1.5), pb.Rectangle(width=2, height=3)
    reply = stub.Form(pb.FormRequest(value_circle=circle), timeout=SECONDS)
    same(reply, pb.FormResponse(result_rectangle=rectangle))
    reply = stub.Form(pb.FormRequest(value_rectangle=rectangle), timeout=SECONDS)
    same(reply, pb.FormResponse(result_circle=circle))


@case
def forms() -> None:
    values = [
        pb.CircleOrRectangle(value_circle=pb.Circle(radius=1.5)),
        pb.CircleOrRectangle(value_rectangle=pb.Rectangle(width=2, height=3)),
    ]
    reply = stub.Forms(pb.FormsRequest(values=values), timeout=SECONDS)
    same(list(reply.result), values[::-1])


@case
def colour() -> None:
    reply = stub.Colour(pb.ColourRequest(value=pb.COLOUR_DARK_BLUE), timeout=SECONDS)
    same(reply.result, pb.COLOUR_DARK_BLUE)


@case
def colour_missing() -> None:
    error = failure(lambda: stub.Colour(pb.ColourRequest(), timeout=SECONDS))
    same(fields(error), ["value"])


@case
def colour_unknown() -> None:
    error = failure(lambda: stub.Colour(pb.ColourRequest(value=99), timeout=SECONDS))
    same(fields(error), ["value"])


@case
def times() -> None:
    value = pb.Times()
    value.at.FromJsonString("2024-02-29T12:30:00.123456Z")
    value.took.FromMilliseconds(-1500)
    same(stub.Times(pb.TimesRequest(value=value), timeout=SECONDS).result, value)


@case
def texts() -> None:
    value = pb.Texts(
        identity="12345678-1234-5678-1234-567812345678", amount="123.4500", speed="fast"
    )
    same(stub.Texts(pb.TextsRequest(value=value), timeout=SECONDS).result, value)


@case
def texts_refused() -> None:
    value = pb.Texts(identity="none", amount="1,5", speed="faster")
    error = failure(lambda: stub.Texts(pb.TextsRequest(value=value), timeout=SECONDS))
    same(fields(error), ["value.identity", "value.amount", "value.speed"])


@case
def records() -> None:
    value = pb.Records(
        point=pb.Point(x=1, y=2.5),
        span=pb.Span(start=3),
        options=pb.Options(depth=2, name="deep"),
        spans=[pb.Span(start=1, end=2)],
    )
    result = stub.Records(pb.RecordsRequest(value=value), timeout=SECONDS).result
    value.span.end = 10
    same(result, value)


@case
def tree() -> None:
    inner = pb.Tree(value=2, children=[pb.Tree(value=3)])
    value = pb.Tree(value=1, children=[inner, pb.Tree(value=4)])
    same(stub.Tree(pb.TreeRequest(value=value), timeout=SECONDS).result, value)


@case
def anything() -> None:
    tree = {
        "list": [1, 2.5, "three", True, None],
        "inner": {"empty": {}, "none": []},
        "text": "x",
    }
    request = pb.AnythingRequest(value=ParseDict(tree, struct_pb2.Value()))
    same(MessageToDict(stub.Anything(request, timeout=SECONDS).result), tree)


@case
def anything_null() -> None:
    request = pb.AnythingRequest(value=struct_pb2.Value(null_value=struct_pb2.NULL_VALUE))
    same(stub.Anything(request, timeout=SECONDS).result.WhichOneof("kind"), "null_value")


@case
def nothing() -> None:
    same(stub.Nothing(pb.NothingRequest(), timeout=SECONDS), pb.NothingResponse())


def echo(name: str, tensor: mesh.Tensor) -> None:
    same(stub.Tensor(pb.TensorRequest(name=name, value=tensor), timeout=SECONDS).result, tensor)


def tensor(data_type: int, shape: list[int], form: str, *elements: float) -> mesh.Tensor:
    data = struct.pack(f"<{form}", *elements)  # little-endian, row by row
    return mesh.Tensor(data_type=data_type, shape=shape, data=data)


@case
def tensor_float32() -> None:
    echo("float32", tensor(mesh.DATA_TYPE_FLOAT32, [2, 3], "6f", 1.5, -2, 3, 0, 0.25, -0.0))


@case
def tensor_float16() -> None:
    echo("float16", tensor(mesh.DATA_TYPE_FLOAT16, [3], "3e", 1, -2, 65504))


@case
def tensor_float64() -> None:
    echo("float64", tensor(mesh.DATA_TYPE_FLOAT64, [], "d", 0.1))


@case
def tensor_int64() -> None:
    echo("int64", tensor(mesh.DATA_TYPE_INT64, [2, 1], "2q", -(2**63), 2**63 - 1))


@case
def tensor_uint8() -> None:
    echo("uint8", tensor(mesh.DATA_TYPE_UINT8, [2, 2, 2], "8B", *range(8)))


@case
def tensor_bool() -> None:
    echo("bool", tensor(mesh.DATA_TYPE_BOOL, [3], "3?", True, False, True))


@case
def tensor_str() -> None:
    strings = ["a", "ß", "", "long text"]
    echo("str", mesh.Tensor(data_type=mesh.DATA_TYPE_STRING, shape=[2, 2], strings=strings))


@case
def tensor_empty() -> None:
    echo("empty", tensor(mesh.DATA_TYPE_INT32, [0, 3], ""))


@case
def tensor_doubled() -> None:
    request = pb.DoubleRequest(value=tensor(mesh.DATA_TYPE_FLOAT32, [1, 2], "2f", 1.5, -4))
    reply = stub.Double(request, timeout=SECONDS)
    same(list(struct.unpack("<2f", reply.result.data)), [3, -8])


@case
def tensor_of_wrong_shape() -> None:
    request = pb.DoubleRequest(value=tensor(mesh.DATA_TYPE_FLOAT32, [1, 3], "3f", 1, 2, 3))
    same(fields(failure(lambda: stub.Double(request, timeout=SECONDS))), ["value"])


@case
def tensor_too_short() -> None:
    request = pb.DoubleRequest(value=tensor(mesh.DATA_TYPE_FLOAT32, [2, 2], "3f", 1, 2, 3))
    same(fields(failure(lambda: stub.Double(request, timeout=SECONDS))), ["value"])


@case
def frame() -> None:
    names = mesh.Tensor(data_type=mesh.DATA_TYPE_STRING, shape=[3], strings=["a", "", "ß"])
    score = tensor(mesh.DATA_TYPE_FLOAT64, [3], "3d", 0.5, math.nan, 2.5)
    count = tensor(mesh.DATA_TYPE_INT64, [3], "3q", 10, 0, 30)
    valid = b"\x01\x00\x01"  # the second is missing
    value = mesh.DataFrame(
        columns=[
            mesh.Column(name="id", values=tensor(mesh.DATA_TYPE_INT64, [3], "3q", 1, 2, 3)),
            mesh.Column(name="score", values=score),
            mesh.Column(name="count", values=count, validity=valid),
            mesh.Column(name="name", values=names, validity=valid),
            mesh.Column(name="seen", values=tensor(mesh.DATA_TYPE_BOOL, [3], "3?", 1, 0, 1)),
        ]
    )
    result = stub.Frame(pb.FrameRequest(value=value), timeout=SECONDS).result
    same(result.columns[1].values.shape, [3])
    first, second, third = struct.unpack("<3d", result.columns[1].values.data)
    same((first, math.isnan(second), third), (0.5, True, 2.5))
    result.columns[1].CopyFrom(value.columns[1])  # whose NaN may have other bits
    same(result, value)


@case
def series() -> None:
    values = tensor(mesh.DATA_TYPE_FLOAT64, [3], "3d", 1.5, 0, 3.5)
    value = mesh.Column(name="score", values=values, validity=b"\x01\x00\x01")
    result = stub.Series(pb.SeriesRequest(value=value), timeout=SECONDS).result
    same((result.name, result.validity), ("score", value.validity))
    first, _, third = struct.unpack("<3d", result.values.data)
    same((first, third), (1.5, 3.5))


@case
def file() -> None:
    value = mesh.File(media_type="text/csv", filename="numbers.csv", data=b"a,b\n1,2\n")
    result = stub.File(pb.FileRequest(value=value), timeout=SECONDS).result
    same(result, mesh.File(media_type="text/plain", filename="numbers.txt", data=b"A,B\n1,2\n"))


@case
def file_of_wrong_type() -> None:
    value = mesh.File(media_type="image/png", data=b"a,b\n1,2\n")
    error = failure(lambda: stub.File(pb.FileRequest(value=value), timeout=SECONDS))
    same(fields(error), ["value"])


@case
def image() -> None:
    png = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f"
        "49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082"
    )
    value = mesh.File(media_type="image/png", data=png)
    result = stub.Flipped(pb.FlippedRequest(image=value), timeout=SECONDS).result
    same((result.media_type, result.data[:8]), ("image/png", png[:8]))
    again = stub.Flipped(pb.FlippedRequest(image=result), timeout=SECONDS).result
    same(result.data == again.data, False)
    third = stub.Flipped(pb.FlippedRequest(image=again), timeout=SECONDS).result
    same(result.data, third.data)


@case
def server_stream() -> None:
    replies = stub.Count(pb.CountRequest(upto=3), timeout=SECONDS)
    same([each.result for each in replies], [1, 2, 3])


@case
def server_stream_that_fails() -> None:
    replies = stub.Count(pb.CountRequest(upto=5), timeout=SECONDS)
    same([next(replies).result for _ in range(3)], [1, 2, 3])
    error = failure(lambda: next(replies))
    same((error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "there is no 4"))


@case
def client_stream() -> None:
    requests = [pb.TotalRequest(start=1000)] + [pb.TotalRequest(numbers=n) for n in (1, 2, 3)]
    same(stub.Total(iter(requests), timeout=SECONDS).result, 1006)


@case
def client_stream_of_none() -> None:
    same(stub.Total(iter([]), timeout=SECONDS).result, 100)


@case
def bidi_stream() -> None:
    words: SimpleQueue[pb.ShoutRequest | None] = SimpleQueue()
    replies = stub.Shout(iter(words.get, None), timeout=SECONDS)
    words.put(pb.ShoutRequest(mark="!", words="one"))
    same(next(replies).result, "ONE!")  # before the next word is said
    words.put(pb.ShoutRequest(words="two"))
    same(next(replies).result, "TWO!")
    words.put(None)
    same(list(replies), [])


@case
def error_with_fields() -> None:
    request = pb.BoundedRequest(value=pb.Bounded(count=0, name="too long"))
    error = failure(lambda: stub.Bounded(request, timeout=SECONDS))
    same(fields(error), ["value.count", "value.name"])
    (bad,) = details(error)
    same(bad.field_violations[0].reason, "GREATER_THAN_EQUAL")


@case
def error_of_the_method() -> None:
    error = failure(lambda: stub.Fail(pb.FailRequest(how="not found"), timeout=SECONDS))
    same(error.code(), grpc.StatusCode.NOT_FOUND)
    same(error.details(), "there is no such thing: ñ")


@case
def error_that_is_hidden() -> None:
    error = failure(lambda: stub.Fail(pb.FailRequest(how="secretly"), timeout=SECONDS))
    same((error.code(), "secret" in error.details()), (grpc.StatusCode.INTERNAL, False))


@case
def error_with_wait() -> None:
    error = failure(lambda: stub.Fail(pb.FailRequest(how="overloaded"), timeout=SECONDS))
    same(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
    (info,) = details(error)
    same(info.retry_delay.ToMilliseconds(), 1500)


@case
def deadline() -> None:
    key = f"python-deadline-{os.getpid()}"
    error = failure(lambda: stub.Slow(pb.SlowRequest(key=key), timeout=3))
    same(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    same(stub.WasReleased(pb.WasReleasedRequest(key=key), timeout=SECONDS).result, True)


@case
def cancellation() -> None:
    key = f"python-cancellation-{os.getpid()}"
    replies = stub.Hold(pb.HoldRequest(key=key), timeout=SECONDS)
    same(next(replies).result, "begun")
    replies.cancel()
    same(failure(lambda: next(replies)).code(), grpc.StatusCode.CANCELLED)
    same(stub.WasReleased(pb.WasReleasedRequest(key=key), timeout=SECONDS).result, True)


@case
def metadata() -> None:
    asked = [("x-asked", "one"), ("x-asked", "two")]
    reply, call = stub.Metadata.with_call(pb.MetadataRequest(), timeout=SECONDS, metadata=asked)
    same(reply.result, "one+two")
    same(dict(call.initial_metadata())["x-answered"], "one+two")


@case
def binary_metadata() -> None:
    asked = [("x-asked-bin", b"\x00\xff\x80")]
    _, call = stub.Metadata.with_call(pb.MetadataRequest(), timeout=SECONDS, metadata=asked)
    same(dict(call.initial_metadata())["x-answered-bin"], b"\x80\xff\x00")


@case
def trailers() -> None:
    asked = [("x-asked", "one"), ("x-asked-bin", b"\x00\xff\x80")]
    _, call = stub.Metadata.with_call(pb.MetadataRequest(), timeout=SECONDS, metadata=asked)
    behind = dict(call.trailing_metadata())
    same((behind["x-behind"], behind["x-behind-bin"]), ("one", b"\x80\xff\x00"))


@case
def endpoint() -> None:
    nowhere = [("x-mesh-endpoint", "nowhere")]
    error = failure(lambda: stub.Nothing(pb.NothingRequest(), timeout=SECONDS, metadata=nowhere))
    same(error.code(), grpc.StatusCode.NOT_FOUND)


@case
def large() -> None:
    data = bytes(n % 251 for n in range(8 << 20))
    same(stub.Large(pb.LargeRequest(data=data), timeout=SECONDS).result == data, True)


@case
def gzip() -> None:
    text = "conformance " * 5000
    reply = stub.LongText(
        pb.LongTextRequest(text=text), timeout=SECONDS, compression=grpc.Compression.Gzip
    )
    same(reply.result == text, True)


@case
def example() -> None:
    target = sys.argv[1]
    # >>> clients.md
    channel = grpc.insecure_channel(target)
    stub = conformance_pb2_grpc.ConformanceServiceStub(channel)
    data = struct.pack("<2f", 1.5, -4)  # little-endian, row by row
    value = mesh.Tensor(data_type=mesh.DATA_TYPE_FLOAT32, shape=[1, 2], data=data)
    reply = stub.Double(pb.DoubleRequest(value=value), timeout=5)  # seconds
    doubled = struct.unpack("<2f", reply.result.data)
    picture = mesh.File(media_type="image/png", filename="a.png", data=b"...")
    bad = error_details_pb2.BadRequest()
    try:
        stub.File(pb.FileRequest(value=picture), timeout=5)
    except grpc.RpcError as error:  # error.code() is INVALID_ARGUMENT
        encoded = dict(error.trailing_metadata())["grpc-status-details-bin"]
        status_pb2.Status.FromString(encoded).details[0].Unpack(bad)
    # <<< clients.md
    same((doubled, [each.field for each in bad.field_violations]), ((3, -8), ["value"]))


def main() -> None:
    for check in CASES:
        try:
            check()
            print(f"ok {check.__name__}", flush=True)
        except Exception as error:  # noqa: BLE001  # whatever it is, the case has failed
            why = " ".join(repr(error).split())
            print(f"not ok {check.__name__}: {why}", flush=True)


main()
