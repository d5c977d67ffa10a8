import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.protobuf.ListValue;
import com.google.protobuf.Message;
import com.google.protobuf.NullValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.Value;
import com.google.rpc.BadRequest;
import com.google.rpc.RetryInfo;
import conformance.v1.*;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import mesh.v1.Column;
import mesh.v1.DataFrame;
import mesh.v1.DataType;
import mesh.v1.File;
import mesh.v1.Tensor;

/** Calls every method of the conformance service with a stub generated from its .proto. */
class Client {
  interface Check {
    void run() throws Exception;
  }

  static final int SECONDS = 20;
  static final Map<String, Check> CASES = new LinkedHashMap<>();
  static String address;
  static ManagedChannel channel;

  static ConformanceServiceGrpc.ConformanceServiceBlockingStub stub() {
    return ConformanceServiceGrpc.newBlockingStub(channel)
        .withDeadlineAfter(SECONDS, TimeUnit.SECONDS)
        .withMaxInboundMessageSize(16 << 20);
  }

  static ConformanceServiceGrpc.ConformanceServiceStub streaming() {
    return ConformanceServiceGrpc.newStub(channel).withDeadlineAfter(SECONDS, TimeUnit.SECONDS);
  }

  static void require(boolean holds, Object why) {
    if (!holds) throw new AssertionError(String.valueOf(why));
  }

  static void same(Object seen, Object expected) {
    require(Objects.equals(seen, expected), seen + " is not " + expected);
  }

  static StatusRuntimeException fails(Code code, Check call) throws Exception {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      same(error.getStatus().getCode(), code);
      return error;
    }
    throw new AssertionError("no error");
  }

  /** A detail of an error: google.rpc.BadRequest or RetryInfo. */
  static <T extends Message> T detail(StatusRuntimeException error, Class<T> kind) throws Exception {
    for (Any each : StatusProto.fromThrowable(error).getDetailsList()) {
      if (each.is(kind)) return each.unpack(kind);
    }
    throw new AssertionError("no " + kind);
  }

  /** Requires that the call fails and says that these fields are wrong. */
  static BadRequest refuses(List<String> fields, Check call) throws Exception {
    var bad = detail(fails(Code.INVALID_ARGUMENT, call), BadRequest.class);
    same(bad.getFieldViolationsList().stream().map(each -> each.getField()).toList(), fields);
    return bad;
  }

  static Point point(long x, double y) {
    return Point.newBuilder().setX(x).setY(y).build();
  }

  static void scalars() {
    var value =
        Scalars.newBuilder()
            .setText("Grüße, 世界 🚀")
            .setWhole(Long.MIN_VALUE)
            .setReal(-0.1)
            .setTruth(true)
            .setBinary(ByteString.copyFrom(new byte[] {0x00, (byte) 0xff, (byte) 0x80}))
            .build();
    same(stub().scalars(ScalarsRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static void zeros() {
    var value = Scalars.getDefaultInstance();
    var reply = stub().scalars(ScalarsRequest.newBuilder().setValue(value).build());
    same(List.of(reply.hasResult(), reply.getResult()), List.of(true, value));
  }

  static void lists() {
    var value =
        Lists.newBuilder()
            .addAllNames(List.of("a", "", "c"))
            .addAllNumbers(List.of(3L, -1L, 1L << 62))
            .addAllUnique(List.of(1L, 2L))
            .addAllMany(List.of(0.5, 1.5, 2.5))
            .setPair(Int64AndStringTuple.newBuilder().setItem1(7).setItem2("seven"))
            .addRows(DoubleList.newBuilder().addItems(1).addItems(2))
            .addRows(DoubleList.newBuilder())
            .addRows(DoubleList.newBuilder().addItems(3))
            .addPoints(point(1, 2.5))
            .addPoints(point(0, 0))
            .build();
    same(stub().lists(ListsRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static void emptyLists() {
    var value = Lists.newBuilder().setPair(Int64AndStringTuple.getDefaultInstance()).build();
    same(stub().lists(ListsRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static void maps() {
    var value =
        Maps.newBuilder()
            .putCounts("one", 1)
            .putCounts("", 0)
            .putNames(-1, "minus")
            .putNames(0, "zero")
            .putRows("odd", Int64List.newBuilder().addItems(1).addItems(3).build())
            .putRows("none", Int64List.getDefaultInstance())
            .putPoints("here", point(1, 2.5))
            .build();
    same(stub().maps(MapsRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static Optionals optionals(Optionals value) {
    return stub().optionals(OptionalsRequest.newBuilder().setValue(value).build()).getResult();
  }

  static void absent() {
    var result = optionals(Optionals.getDefaultInstance());
    require(!result.hasMaybe() && !result.hasPoint(), result);
    same(result, Optionals.newBuilder().setNumber(5).setText("fallback").build());
  }

  static void given() {
    var value =
        Optionals.newBuilder().setMaybe(0).setNumber(0).setText("").setPoint(point(0, 0)).build();
    var result = optionals(value);
    require(result.hasMaybe() && result.hasNumber() && result.hasText(), result);
    same(result, value);
  }

  static void eitherWhole() {
    var reply = stub().either(EitherRequest.newBuilder().setValueInt(7).build());
    same(reply.getResultCase(), EitherResponse.ResultCase.RESULT_INT);
    same(reply.getResultInt(), 7L);
  }

  static void eitherText() {
    var reply = stub().either(EitherRequest.newBuilder().setValueStr("seven").build());
    same(reply.getResultCase(), EitherResponse.ResultCase.RESULT_STR);
    same(reply.getResultStr(), "seven");
  }

  static final Circle CIRCLE = Circle.newBuilder().setRadius(1.5).build();
  static final Rectangle RECTANGLE = Rectangle.newBuilder().setWidth(2).setHeight(3).build();

  static void form() {
    var circle = FormRequest.newBuilder().setValueCircle(CIRCLE).build();
    same(stub().form(circle).getResultRectangle(), RECTANGLE);
    var rectangle = FormRequest.newBuilder().setValueRectangle(RECTANGLE).build();
    same(stub().form(rectangle).getResultCircle(), CIRCLE);
  }

  static void forms() {
    var first = CircleOrRectangle.newBuilder().setValueCircle(CIRCLE).build();
    var second = CircleOrRectangle.newBuilder().setValueRectangle(RECTANGLE).build();
    var request = FormsRequest.newBuilder().addValues(first).addValues(second).build();
    same(stub().forms(request).getResultList(), List.of(second, first));
  }

  static void colour() {
    var request = ColourRequest.newBuilder().setValue(Colour.COLOUR_DARK_BLUE).build();
    same(stub().colour(request).getResult(), Colour.COLOUR_DARK_BLUE);
  }

  static void colourMissing() throws Exception {
    refuses(List.of("value"), () -> stub().colour(ColourRequest.getDefaultInstance()));
  }

  static void colourUnknown() throws Exception {
    var request = ColourRequest.newBuilder().setValueValue(99).build();
    refuses(List.of("value"), () -> stub().colour(request));
  }

  static void times() {
    var at = Instant.parse("2024-02-29T12:30:00.123456Z");
    var value =
        Times.newBuilder()
            .setAt(Timestamp.newBuilder().setSeconds(at.getEpochSecond()).setNanos(at.getNano()))
            .setTook(Duration.newBuilder().setSeconds(-1).setNanos(-500_000_000))
            .build();
    same(stub().times(TimesRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static TextsRequest textsRequest(String identity, String amount, String speed) {
    var value = Texts.newBuilder().setIdentity(identity).setAmount(amount).setSpeed(speed);
    return TextsRequest.newBuilder().setValue(value).build();
  }

  static void texts() {
    var request = textsRequest("12345678-1234-5678-1234-567812345678", "123.4500", "fast");
    same(stub().texts(request).getResult(), request.getValue());
  }

  static void textsRefused() throws Exception {
    var request = textsRequest("none", "1,5", "faster");
    refuses(
        List.of("value.identity", "value.amount", "value.speed"), () -> stub().texts(request));
  }

  static void records() {
    var value =
        Records.newBuilder()
            .setPoint(point(1, 2.5))
            .setSpan(Span.newBuilder().setStart(3))
            .setOptions(Options.newBuilder().setDepth(2).setName("deep"))
            .addSpans(Span.newBuilder().setStart(1).setEnd(2));
    var reply = stub().records(RecordsRequest.newBuilder().setValue(value).build());
    value.getSpanBuilder().setEnd(10);
    same(reply.getResult(), value.build());
  }

  static Tree tree(long value, Tree... children) {
    return Tree.newBuilder().setValue(value).addAllChildren(List.of(children)).build();
  }

  static void tree() {
    var value = tree(1, tree(2, tree(3)), tree(4));
    same(stub().tree(TreeRequest.newBuilder().setValue(value).build()).getResult(), value);
  }

  static final Value NULL = Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build();

  static Value number(double value) {
    return Value.newBuilder().setNumberValue(value).build();
  }

  static Value text(String value) {
    return Value.newBuilder().setStringValue(value).build();
  }

  static Value list(Value... values) {
    var list = ListValue.newBuilder().addAllValues(List.of(values));
    return Value.newBuilder().setListValue(list).build();
  }

  static Value struct(Map<String, Value> fields) {
    return Value.newBuilder().setStructValue(Struct.newBuilder().putAllFields(fields)).build();
  }

  static Value anything(Value value) {
    return stub().anything(AnythingRequest.newBuilder().setValue(value).build()).getResult();
  }

  static void anything() {
    var truth = Value.newBuilder().setBoolValue(true).build();
    var items = list(number(1), number(2.5), text("three"), truth, NULL);
    var inner = struct(Map.of("empty", struct(Map.of()), "none", list()));
    var value = struct(Map.of("list", items, "inner", inner, "text", text("x")));
    same(anything(value), value);
  }

  static void anythingNull() {
    same(anything(NULL), NULL);
  }

  static void nothing() {
    var reply = stub().nothing(NothingRequest.getDefaultInstance());
    same(reply, NothingResponse.getDefaultInstance());
  }

  /** A buffer for so many bytes of elements, in the order that a tensor has them. */
  static ByteBuffer bytes(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  static ByteBuffer bytes(ByteString data) {
    return data.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  static Tensor tensor(DataType type, List<Long> shape, ByteBuffer elements) {
    return Tensor.newBuilder()
        .setDataType(type)
        .addAllShape(shape)
        .setData(ByteString.copyFrom(elements.array()))
        .build();
  }

  static Tensor floats(List<Long> shape, float... elements) {
    var data = bytes(4 * elements.length);
    data.asFloatBuffer().put(elements);
    return tensor(DataType.DATA_TYPE_FLOAT32, shape, data);
  }

  static Tensor doubles(List<Long> shape, double... elements) {
    var data = bytes(8 * elements.length);
    data.asDoubleBuffer().put(elements);
    return tensor(DataType.DATA_TYPE_FLOAT64, shape, data);
  }

  static Tensor longs(List<Long> shape, long... elements) {
    var data = bytes(8 * elements.length);
    data.asLongBuffer().put(elements);
    return tensor(DataType.DATA_TYPE_INT64, shape, data);
  }

  static Tensor octets(DataType type, List<Long> shape, int... elements) {
    var data = bytes(elements.length);
    for (int each : elements) data.put((byte) each);
    return tensor(type, shape, data);
  }

  static Tensor strings(List<Long> shape, String... elements) {
    return Tensor.newBuilder()
        .setDataType(DataType.DATA_TYPE_STRING)
        .addAllShape(shape)
        .addAllStrings(List.of(elements))
        .build();
  }

  static void echoes(String name, Tensor value) {
    var request = TensorRequest.newBuilder().setName(name).setValue(value).build();
    same(stub().tensor(request).getResult(), value);
  }

  static void tensorFloat32() {
    echoes("float32", floats(List.of(2L, 3L), 1.5f, -2, 3, 0, 0.25f, -0.0f));
  }

  static void tensorFloat16() { // the bits of 1, -2 and 65504
    var data = bytes(6);
    data.asShortBuffer().put(new short[] {0x3c00, (short) 0xc000, 0x7bff});
    echoes("float16", tensor(DataType.DATA_TYPE_FLOAT16, List.of(3L), data));
  }

  static void tensorFloat64() {
    echoes("float64", doubles(List.of(), 0.1));
  }

  static void tensorInt64() {
    echoes("int64", longs(List.of(2L, 1L), Long.MIN_VALUE, Long.MAX_VALUE));
  }

  static void tensorUint8() {
    var shape = List.of(2L, 2L, 2L);
    echoes("uint8", octets(DataType.DATA_TYPE_UINT8, shape, 0, 1, 2, 3, 4, 5, 6, 7));
  }

  static void tensorBool() {
    echoes("bool", octets(DataType.DATA_TYPE_BOOL, List.of(3L), 1, 0, 1));
  }

  static void tensorStr() {
    echoes("str", strings(List.of(2L, 2L), "a", "ß", "", "long text"));
  }

  static void tensorEmpty() {
    echoes("empty", tensor(DataType.DATA_TYPE_INT32, List.of(0L, 3L), bytes(0)));
  }

  static DoubleRequest toDouble(List<Long> shape, float... elements) {
    return DoubleRequest.newBuilder().setValue(floats(shape, elements)).build();
  }

  static void tensorDoubled() {
    var reply = stub().double_(toDouble(List.of(1L, 2L), 1.5f, -4));
    var doubled = bytes(reply.getResult().getData()).asFloatBuffer();
    same(List.of(doubled.get(0), doubled.get(1)), List.of(3f, -8f));
  }

  static void tensorOfWrongShape() throws Exception {
    refuses(List.of("value"), () -> stub().double_(toDouble(List.of(1L, 3L), 1, 2, 3)));
  }

  static void tensorTooShort() throws Exception {
    refuses(List.of("value"), () -> stub().double_(toDouble(List.of(2L, 2L), 1, 2, 3)));
  }

  static final ByteString ALL = ByteString.EMPTY;
  static final ByteString SECOND_MISSING = ByteString.copyFrom(new byte[] {1, 0, 1});

  static Column column(String name, Tensor values, ByteString validity) {
    return Column.newBuilder().setName(name).setValues(values).setValidity(validity).build();
  }

  static void frame() {
    var three = List.of(3L);
    var value =
        DataFrame.newBuilder()
            .addColumns(column("id", longs(three, 1, 2, 3), ALL))
            .addColumns(column("score", doubles(three, 0.5, Double.NaN, 2.5), ALL))
            .addColumns(column("count", longs(three, 10, 0, 30), SECOND_MISSING))
            .addColumns(column("name", strings(three, "a", "", "ß"), SECOND_MISSING))
            .addColumns(column("seen", octets(DataType.DATA_TYPE_BOOL, three, 1, 0, 1), ALL))
            .build();
    var result = stub().frame(FrameRequest.newBuilder().setValue(value).build()).getResult();
    var scores = bytes(result.getColumns(1).getValues().getData()).asDoubleBuffer();
    same(
        List.of(scores.get(0), scores.get(1), scores.get(2)), List.of(0.5, Double.NaN, 2.5));
    // The NaN may have other bits.
    same(result.toBuilder().setColumns(1, value.getColumns(1)).build(), value);
  }

  static void series() {
    var value = column("score", doubles(List.of(3L), 1.5, 0, 3.5), SECOND_MISSING);
    var result = stub().series(SeriesRequest.newBuilder().setValue(value).build()).getResult();
    var seen = bytes(result.getValues().getData()).asDoubleBuffer();
    same(List.of(seen.get(0), seen.get(2)), List.of(1.5, 3.5));
    same(List.of(result.getName(), result.getValidity()), List.of("score", SECOND_MISSING));
  }

  static File file(String mediaType, String filename, String content) {
    return File.newBuilder()
        .setMediaType(mediaType)
        .setFilename(filename)
        .setData(ByteString.copyFromUtf8(content))
        .build();
  }

  static void file() {
    var request = FileRequest.newBuilder().setValue(file("text/csv", "numbers.csv", "a,b\n1,2\n"));
    var result = stub().file(request.build()).getResult();
    same(result, file("text/plain", "numbers.txt", "A,B\n1,2\n"));
  }

  static void fileOfWrongType() throws Exception {
    var request = FileRequest.newBuilder().setValue(file("image/png", "", "a,b\n1,2\n")).build();
    refuses(List.of("value"), () -> stub().file(request));
  }

  static File flipped(File image) {
    return stub().flipped(FlippedRequest.newBuilder().setImage(image).build()).getResult();
  }

  static void image() {
    var png =
        ByteString.copyFrom(
            HexFormat.of()
                .parseHex(
                    "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f"
                        + "49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082"));
    var once = flipped(File.newBuilder().setMediaType("image/png").setData(png).build());
    same(once.getMediaType(), "image/png");
    same(once.getData().substring(0, 8), png.substring(0, 8));
    var twice = flipped(once);
    require(!twice.getData().equals(once.getData()), "not flipped");
    same(flipped(twice).getData(), once.getData());
  }

  static void serverStream() {
    var seen = new ArrayList<Long>();
    var replies = stub().count(CountRequest.newBuilder().setUpto(3).build());
    replies.forEachRemaining(reply -> seen.add(reply.getResult()));
    same(seen, List.of(1L, 2L, 3L));
  }

  static void serverStreamThatFails() throws Exception {
    var seen = new ArrayList<Long>();
    var replies = stub().count(CountRequest.newBuilder().setUpto(5).build());
    var error =
        fails(
            Code.NOT_FOUND,
            () -> replies.forEachRemaining(reply -> seen.add(reply.getResult())));
    same(seen, List.of(1L, 2L, 3L));
    same(error.getStatus().getDescription(), "there is no 4");
  }

  /** Keeps what a stream sends: messages, then an error or END. */
  static class Replies<T> implements StreamObserver<T> {
    static final Object END = new Object();
    private final LinkedBlockingQueue<Object> seen = new LinkedBlockingQueue<>();

    @Override
    public void onNext(T reply) {
      seen.add(reply);
    }

    @Override
    public void onError(Throwable error) {
      seen.add(error);
    }

    @Override
    public void onCompleted() {
      seen.add(END);
    }

    Object next() throws InterruptedException {
      return seen.poll(SECONDS, TimeUnit.SECONDS);
    }
  }

  static Object total(List<TotalRequest> requests) throws Exception {
    var replies = new Replies<TotalResponse>();
    var call = streaming().total(replies);
    requests.forEach(call::onNext);
    call.onCompleted();
    return replies.next();
  }

  static void clientStream() throws Exception {
    var requests = new ArrayList<TotalRequest>();
    requests.add(TotalRequest.newBuilder().setStart(1000).build());
    for (int number = 1; number <= 3; ++number) {
      requests.add(TotalRequest.newBuilder().setNumbers(number).build());
    }
    same(total(requests), TotalResponse.newBuilder().setResult(1006).build());
  }

  static void clientStreamOfNone() throws Exception {
    same(total(List.of()), TotalResponse.newBuilder().setResult(100).build());
  }

  static void bidiStream() throws Exception {
    var replies = new Replies<ShoutResponse>();
    var call = streaming().shout(replies);
    call.onNext(ShoutRequest.newBuilder().setMark("!").setWords("one").build());
    same(replies.next(), ShoutResponse.newBuilder().setResult("ONE!").build());
    call.onNext(ShoutRequest.newBuilder().setWords("two").build());
    same(replies.next(), ShoutResponse.newBuilder().setResult("TWO!").build());
    call.onCompleted();
    same(replies.next(), Replies.END);
  }

  static void errorWithFields() throws Exception {
    var value = Bounded.newBuilder().setCount(0).setName("too long");
    var request = BoundedRequest.newBuilder().setValue(value).build();
    var bad = refuses(List.of("value.count", "value.name"), () -> stub().bounded(request));
    require(!bad.getFieldViolations(0).getDescription().isEmpty(), "no description");
  }

  static StatusRuntimeException failure(Code code, String how) throws Exception {
    return fails(code, () -> stub().fail(FailRequest.newBuilder().setHow(how).build()));
  }

  static void errorOfTheMethod() throws Exception {
    var error = failure(Code.NOT_FOUND, "not found");
    same(error.getStatus().getDescription(), "there is no such thing: ñ");
  }

  static void errorThatIsHidden() throws Exception {
    var error = failure(Code.INTERNAL, "secretly");
    require(!error.getStatus().getDescription().contains("secret"), error);
  }

  static void errorWithWait() throws Exception {
    var info = detail(failure(Code.RESOURCE_EXHAUSTED, "overloaded"), RetryInfo.class);
    var expected = Duration.newBuilder().setSeconds(1).setNanos(500_000_000).build();
    same(info.getRetryDelay(), expected);
  }

  static String key(String name) {
    return "java-" + name + "-" + ProcessHandle.current().pid();
  }

  static void requireReleased(String key) {
    var request = WasReleasedRequest.newBuilder().setKey(key).build();
    require(stub().wasReleased(request).getResult(), "not cancelled");
  }

  static void deadline() throws Exception {
    var request = SlowRequest.newBuilder().setKey(key("deadline")).build();
    fails(
        Code.DEADLINE_EXCEEDED,
        () -> stub().withDeadlineAfter(3, TimeUnit.SECONDS).slow(request));
    requireReleased(key("deadline"));
  }

  static void cancellation() throws Exception {
    var request = HoldRequest.newBuilder().setKey(key("cancellation")).build();
    var context = Context.current().withCancellation();
    var started = new AtomicReference<Iterator<HoldResponse>>();
    context.run(() -> started.set(stub().hold(request)));
    var replies = started.get();
    same(replies.next().getResult(), "begun");
    context.cancel(null);
    fails(Code.CANCELLED, replies::next);
    requireReleased(key("cancellation"));
  }

  static Metadata.Key<String> name(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  static Metadata.Key<byte[]> bytesName(String name) {
    return Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
  }

  static final AtomicReference<Metadata> BEFORE = new AtomicReference<>();
  static final AtomicReference<Metadata> BEHIND = new AtomicReference<>();

  /** The reply to a call with this metadata; what came before it and behind it is kept. */
  static String metadata(Metadata asked) {
    return stub()
        .withInterceptors(
            MetadataUtils.newAttachHeadersInterceptor(asked),
            MetadataUtils.newCaptureMetadataInterceptor(BEFORE, BEHIND))
        .metadata(MetadataRequest.getDefaultInstance())
        .getResult();
  }

  static final byte[] BYTES = {0x00, (byte) 0xff, (byte) 0x80};
  static final byte[] TURNED = {(byte) 0x80, (byte) 0xff, 0x00};

  static void metadata() {
    var asked = new Metadata();
    asked.put(name("x-asked"), "one");
    asked.put(name("x-asked"), "two");
    same(metadata(asked), "one+two");
    same(BEFORE.get().get(name("x-answered")), "one+two");
  }

  static void binaryMetadata() {
    var asked = new Metadata();
    asked.put(bytesName("x-asked-bin"), BYTES);
    metadata(asked);
    var answered = BEFORE.get().get(bytesName("x-answered-bin"));
    require(Arrays.equals(answered, TURNED), Arrays.toString(answered));
  }

  static void trailers() {
    var asked = new Metadata();
    asked.put(name("x-asked"), "one");
    asked.put(bytesName("x-asked-bin"), BYTES);
    metadata(asked);
    same(BEHIND.get().get(name("x-behind")), "one");
    var behind = BEHIND.get().get(bytesName("x-behind-bin"));
    require(Arrays.equals(behind, TURNED), Arrays.toString(behind));
  }

  static void endpoint() throws Exception {
    var nowhere = new Metadata();
    nowhere.put(name("x-mesh-endpoint"), "nowhere");
    var there = stub().withInterceptors(MetadataUtils.newAttachHeadersInterceptor(nowhere));
    fails(Code.NOT_FOUND, () -> there.nothing(NothingRequest.getDefaultInstance()));
  }

  static void large() {
    var data = new byte[8 << 20];
    for (int at = 0; at < data.length; ++at) data[at] = (byte) (at % 251);
    var request = LargeRequest.newBuilder().setData(ByteString.copyFrom(data)).build();
    require(stub().large(request).getResult().equals(request.getData()), "other bytes");
  }

  static void gzip() {
    var request = LongTextRequest.newBuilder().setText("conformance ".repeat(5000)).build();
    var reply = stub().withCompression("gzip").longText(request);
    require(reply.getResult().equals(request.getText()), "another text");
  }

  static void example() throws Exception {
    var target = address;
    // >>> clients.md
    var channel = ManagedChannelBuilder.forTarget(target).usePlaintext().build();
    var stub = ConformanceServiceGrpc.newBlockingStub(channel);
    var elements = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN); // row by row
    elements.putFloat(1.5f).putFloat(-4).flip();
    var value =
        Tensor.newBuilder()
            .setDataType(DataType.DATA_TYPE_FLOAT32)
            .addAllShape(List.of(1L, 2L))
            .setData(ByteString.copyFrom(elements));
    var request = DoubleRequest.newBuilder().setValue(value).build();
    var reply = stub.withDeadlineAfter(5, TimeUnit.SECONDS).double_(request);
    var doubled = reply.getResult().getData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    var content = ByteString.copyFromUtf8("...");
    var picture = File.newBuilder().setMediaType("image/png").setFilename("a.png").setData(content);
    BadRequest bad = null;
    try {
      stub.file(FileRequest.newBuilder().setValue(picture).build());
    } catch (StatusRuntimeException error) { // Code.INVALID_ARGUMENT
      bad = StatusProto.fromThrowable(error).getDetails(0).unpack(BadRequest.class);
    }
    // <<< clients.md
    same(List.of(doubled.getFloat(), doubled.getFloat()), List.of(3f, -8f));
    same(bad.getFieldViolations(0).getField(), "value");
    channel.shutdownNow();
  }

  static {
    CASES.put("scalars", Client::scalars);
    CASES.put("zeros", Client::zeros);
    CASES.put("lists", Client::lists);
    CASES.put("empty_lists", Client::emptyLists);
    CASES.put("maps", Client::maps);
    CASES.put("absent", Client::absent);
    CASES.put("given", Client::given);
    CASES.put("either_whole", Client::eitherWhole);
    CASES.put("either_text", Client::eitherText);
    CASES.put("form", Client::form);
    CASES.put("forms", Client::forms);
    CASES.put("colour", Client::colour);
    CASES.put("colour_missing", Client::colourMissing);
    CASES.put("colour_unknown", Client::colourUnknown);
    CASES.put("times", Client::times);
    CASES.put("texts", Client::texts);
    CASES.put("texts_refused", Client::textsRefused);
    CASES.put("records", Client::records);
    CASES.put("tree", Client::tree);
    CASES.put("anything", Client::anything);
    CASES.put("anything_null", Client::anythingNull);
    CASES.put("nothing", Client::nothing);
    CASES.put("tensor_float32", Client::tensorFloat32);
    CASES.put("tensor_float16", Client::tensorFloat16);
    CASES.put("tensor_float64", Client::tensorFloat64);
    CASES.put("tensor_int64", Client::tensorInt64);
    CASES.put("tensor_uint8", Client::tensorUint8);
    CASES.put("tensor_bool", Client::tensorBool);
    CASES.put("tensor_str", Client::tensorStr);
    CASES.put("tensor_empty", Client::tensorEmpty);
    CASES.put("tensor_doubled", Client::tensorDoubled);
    CASES.put("tensor_of_wrong_shape", Client::tensorOfWrongShape);
    CASES.put("tensor_too_short", Client::tensorTooShort);
    CASES.put("frame", Client::frame);
    CASES.put("series", Client::series);
    CASES.put("file", Client::file);
    CASES.put("file_of_wrong_type", Client::fileOfWrongType);
    CASES.put("image", Client::image);
    CASES.put("server_stream", Client::serverStream);
    CASES.put("server_stream_that_fails", Client::serverStreamThatFails);
    CASES.put("client_stream", Client::clientStream);
    CASES.put("client_stream_of_none", Client::clientStreamOfNone);
    CASES.put("bidi_stream", Client::bidiStream);
    CASES.put("error_with_fields", Client::errorWithFields);
    CASES.put("error_of_the_method", Client::errorOfTheMethod);
    CASES.put("error_that_is_hidden", Client::errorThatIsHidden);
    CASES.put("error_with_wait", Client::errorWithWait);
    CASES.put("deadline", Client::deadline);
    CASES.put("cancellation", Client::cancellation);
    CASES.put("metadata", Client::metadata);
    CASES.put("binary_metadata", Client::binaryMetadata);
    CASES.put("trailers", Client::trailers);
    CASES.put("endpoint", Client::endpoint);
    CASES.put("large", Client::large);
    CASES.put("gzip", Client::gzip);
    CASES.put("example", Client::example);
  }

  public static void main(String[] arguments) {
    address = arguments[0];
    channel = ManagedChannelBuilder.forTarget(address).usePlaintext().build();
    CASES.forEach(
        (name, check) -> {
          try {
            check.run();
            System.out.println("ok " + name);
          } catch (Throwable why) {
            var text = why.toString().replaceAll("\\s+", " ");
            System.out.println("not ok " + name + ": " + text);
          }
        });
    channel.shutdownNow();
  }
}
