# frozen_string_literal: true

# Calls every method of the conformance service with a stub generated from its .proto.
# usage: ruby -I FOLDER-OF-GENERATED-CODE client.rb HOST:PORT

require "grpc"
require "google/protobuf/well_known_types"
require "conformance/v1/conformance_services_pb"
require "google/rpc/error_details_pb"
require "google/rpc/status_pb"

include Conformance::V1

SECONDS = 20
STUB = ConformanceService::Stub.new(
  ARGV[0], :this_channel_is_insecure,
  timeout: SECONDS, channel_args: { "grpc.max_receive_message_length" => 16 << 20 }
)
Tensor = Mesh::V1::Tensor
CASES = {}

def on(name, &check)
  CASES[name] = check
end

def same(seen, expected)
  raise "#{seen.inspect} is not #{expected.inspect}" unless seen == expected
end

def fails(code)
  yield
rescue GRPC::BadStatus => e
  same(e.code, code)
  e
else
  raise "no error"
end

# The details of an error: google.rpc.BadRequest and RetryInfo.
def details(error)
  kinds = [Google::Rpc::BadRequest, Google::Rpc::RetryInfo]
  error.to_rpc_status.details.map do |detail|
    kind = kinds.find { |each| detail.is(each) }
    detail.unpack(kind)
  end
end

# Requires that the call fails and says that these fields are wrong.
def refuses(*fields, &call)
  bad, = details(fails(GRPC::Core::StatusCodes::INVALID_ARGUMENT, &call))
  same(bad.field_violations.map(&:field), fields)
  bad
end

on "scalars" do
  value = Scalars.new(
    text: "Grüße, 世界 🚀", whole: -2**63, real: -0.1, truth: true, binary: "\x00\xff\x80".b
  )
  same(STUB.scalars(ScalarsRequest.new(value: value)).result, value)
end

on "zeros" do
  same(STUB.scalars(ScalarsRequest.new(value: Scalars.new)).result, Scalars.new)
end

on "lists" do
  value = Lists.new(
    names: ["a", "", "c"],
    numbers: [3, -1, 2**62],
    unique: [1, 2],
    many: [0.5, 1.5, 2.5],
    pair: Int64AndStringTuple.new(item1: 7, item2: "seven"),
    rows: [DoubleList.new(items: [1, 2]), DoubleList.new, DoubleList.new(items: [3])],
    points: [Point.new(x: 1, y: 2.5), Point.new]
  )
  same(STUB.lists(ListsRequest.new(value: value)).result, value)
end

on "empty_lists" do
  value = Lists.new(pair: Int64AndStringTuple.new)
  same(STUB.lists(ListsRequest.new(value: value)).result, value)
end

on "maps" do
  value = Maps.new(
    counts: { "one" => 1, "" => 0 },
    names: { -1 => "minus", 0 => "zero" },
    rows: { "odd" => Int64List.new(items: [1, 3]), "none" => Int64List.new },
    points: { "here" => Point.new(x: 1, y: 2.5) }
  )
  same(STUB.maps(MapsRequest.new(value: value)).result, value)
end

on "absent" do
  result = STUB.optionals(OptionalsRequest.new(value: Optionals.new)).result
  same([result.has_maybe?, result.has_point?], [false, false])
  same(result, Optionals.new(number: 5, text: "fallback"))
end

on "given" do
  value = Optionals.new(maybe: 0, number: 0, text: "", point: Point.new)
  result = STUB.optionals(OptionalsRequest.new(value: value)).result
  raise "something lacks" unless result.has_maybe? && result.has_number? && result.has_text?

  same(result, value)
end

on "either_whole" do
  reply = STUB.either(EitherRequest.new(value_int: 7))
  same([reply.result, reply.result_int], [:result_int, 7])
end

on "either_text" do
  reply = STUB.either(EitherRequest.new(value_str: "seven"))
  same([reply.result, reply.result_str], [:result_str, "seven"])
end

on "form" do
  circle = Circle.new(radius: 1.5)
  rectangle = Rectangle.new(width: 2, height: 3)
  same(STUB.form(FormRequest.new(value_circle: circle)).result_rectangle, rectangle)
  same(STUB.form(FormRequest.new(value_rectangle: rectangle)).result_circle, circle)
end

on "forms" do
  values = [
    CircleOrRectangle.new(value_circle: Circle.new(radius: 1.5)),
    CircleOrRectangle.new(value_rectangle: Rectangle.new(width: 2, height: 3))
  ]
  same(STUB.forms(FormsRequest.new(values: values)).result.to_a, values.reverse)
end

on "colour" do
  same(STUB.colour(ColourRequest.new(value: :COLOUR_DARK_BLUE)).result, :COLOUR_DARK_BLUE)
end

on "colour_missing" do
  refuses("value") { STUB.colour(ColourRequest.new) }
end

on "colour_unknown" do
  refuses("value") { STUB.colour(ColourRequest.new(value: 99)) }
end

on "times" do
  at = Time.utc(2024, 2, 29, 12, 30, 0, 123_456)
  value = Times.new(
    at: Google::Protobuf::Timestamp.new(seconds: at.to_i, nanos: at.nsec),
    took: Google::Protobuf::Duration.new(seconds: -1, nanos: -500_000_000)
  )
  same(STUB.times(TimesRequest.new(value: value)).result, value)
end

on "texts" do
  value = Texts.new(
    identity: "12345678-1234-5678-1234-567812345678", amount: "123.4500", speed: "fast"
  )
  same(STUB.texts(TextsRequest.new(value: value)).result, value)
end

on "texts_refused" do
  value = Texts.new(identity: "none", amount: "1,5", speed: "faster")
  refuses("value.identity", "value.amount", "value.speed") do
    STUB.texts(TextsRequest.new(value: value))
  end
end

on "records" do
  value = Records.new(
    point: Point.new(x: 1, y: 2.5),
    span: Span.new(start: 3),
    options: Options.new(depth: 2, name: "deep"),
    spans: [Span.new(start: 1, end: 2)]
  )
  result = STUB.records(RecordsRequest.new(value: value)).result
  value.span.end = 10
  same(result, value)
end

on "tree" do
  inner = Tree.new(value: 2, children: [Tree.new(value: 3)])
  value = Tree.new(value: 1, children: [inner, Tree.new(value: 4)])
  same(STUB.tree(TreeRequest.new(value: value)).result, value)
end

on "anything" do
  json = '{"list": [1, 2.5, "three", true, null], "inner": {"empty": {}, "none": []}, "text": "x"}'
  value = Google::Protobuf::Value.decode_json(json)
  same(STUB.anything(AnythingRequest.new(value: value)).result, value)
end

on "anything_null" do
  value = Google::Protobuf::Value.new(null_value: :NULL_VALUE)
  same(STUB.anything(AnythingRequest.new(value: value)).result.kind, :null_value)
end

on "nothing" do
  same(STUB.nothing(NothingRequest.new), NothingResponse.new)
end

# A tensor; `form` says for pack how its elements are written, little-endian.
def tensor(type, shape, form, elements)
  Tensor.new(data_type: :"DATA_TYPE_#{type}", shape: shape, data: elements.pack(form))
end

def echoes(name, value)
  same(STUB.tensor(TensorRequest.new(name: name, value: value)).result, value)
end

on "tensor_float32" do
  echoes("float32", tensor("FLOAT32", [2, 3], "e*", [1.5, -2, 3, 0, 0.25, -0.0]))
end

on "tensor_float16" do # the bits of 1, -2 and 65504
  echoes("float16", tensor("FLOAT16", [3], "S<*", [0x3c00, 0xc000, 0x7bff]))
end

on "tensor_float64" do
  echoes("float64", tensor("FLOAT64", [], "E", [0.1]))
end

on "tensor_int64" do
  echoes("int64", tensor("INT64", [2, 1], "q<*", [-2**63, 2**63 - 1]))
end

on "tensor_uint8" do
  echoes("uint8", tensor("UINT8", [2, 2, 2], "C*", (0..7).to_a))
end

on "tensor_bool" do
  echoes("bool", tensor("BOOL", [3], "C*", [1, 0, 1]))
end

on "tensor_str" do
  strings = ["a", "ß", "", "long text"]
  echoes("str", Tensor.new(data_type: :DATA_TYPE_STRING, shape: [2, 2], strings: strings))
end

on "tensor_empty" do
  echoes("empty", tensor("INT32", [0, 3], "l<*", []))
end

on "tensor_doubled" do
  value = tensor("FLOAT32", [1, 2], "e*", [1.5, -4])
  reply = STUB.double(DoubleRequest.new(value: value))
  same(reply.result.data.unpack("e*"), [3, -8])
end

on "tensor_of_wrong_shape" do
  value = tensor("FLOAT32", [1, 3], "e*", [1, 2, 3])
  refuses("value") { STUB.double(DoubleRequest.new(value: value)) }
end

on "tensor_too_short" do
  value = tensor("FLOAT32", [2, 2], "e*", [1, 2, 3])
  refuses("value") { STUB.double(DoubleRequest.new(value: value)) }
end

SECOND_MISSING = "\x01\x00\x01".b

def column(name, values, validity = "")
  Mesh::V1::Column.new(name: name, values: values, validity: validity)
end

on "frame" do
  names = Tensor.new(data_type: :DATA_TYPE_STRING, shape: [3], strings: ["a", "", "ß"])
  value = Mesh::V1::DataFrame.new(
    columns: [
      column("id", tensor("INT64", [3], "q<*", [1, 2, 3])),
      column("score", tensor("FLOAT64", [3], "E*", [0.5, Float::NAN, 2.5])),
      column("count", tensor("INT64", [3], "q<*", [10, 0, 30]), SECOND_MISSING),
      column("name", names, SECOND_MISSING),
      column("seen", tensor("BOOL", [3], "C*", [1, 0, 1]))
    ]
  )
  result = STUB.frame(FrameRequest.new(value: value)).result
  first, second, third = result.columns[1].values.data.unpack("E*")
  same([first, second.nan?, third], [0.5, true, 2.5])
  result.columns[1] = value.columns[1] # whose NaN may have other bits
  same(result, value)
end

on "series" do
  value = column("score", tensor("FLOAT64", [3], "E*", [1.5, 0, 3.5]), SECOND_MISSING)
  result = STUB.series(SeriesRequest.new(value: value)).result
  first, _, third = result.values.data.unpack("E*")
  same([result.name, result.validity, first, third], ["score", SECOND_MISSING, 1.5, 3.5])
end

on "file" do
  value = Mesh::V1::File.new(
    media_type: "text/csv", filename: "numbers.csv", data: "a,b\n1,2\n"
  )
  expected = Mesh::V1::File.new(
    media_type: "text/plain", filename: "numbers.txt", data: "A,B\n1,2\n"
  )
  same(STUB.file(FileRequest.new(value: value)).result, expected)
end

on "file_of_wrong_type" do
  value = Mesh::V1::File.new(media_type: "image/png", data: "a,b\n1,2\n")
  refuses("value") { STUB.file(FileRequest.new(value: value)) }
end

on "image" do
  png = [
    "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f" \
    "49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082"
  ].pack("H*")
  flipped = ->(image) { STUB.flipped(FlippedRequest.new(image: image)).result }
  once = flipped.call(Mesh::V1::File.new(media_type: "image/png", data: png))
  same([once.media_type, once.data[0, 8]], ["image/png", png[0, 8]])
  twice = flipped.call(once)
  raise "not flipped" if twice.data == once.data

  same(flipped.call(twice).data, once.data)
end

on "server_stream" do
  same(STUB.count(CountRequest.new(upto: 3)).map(&:result), [1, 2, 3])
end

on "server_stream_that_fails" do
  seen = []
  error = fails(GRPC::Core::StatusCodes::NOT_FOUND) do
    STUB.count(CountRequest.new(upto: 5)).each { |reply| seen << reply.result }
  end
  same([seen, error.details], [[1, 2, 3], "there is no 4"])
end

on "client_stream" do
  requests = [TotalRequest.new(start: 1000)] + [1, 2, 3].map { |n| TotalRequest.new(numbers: n) }
  same(STUB.total(requests).result, 1006)
end

on "client_stream_of_none" do
  same(STUB.total([]).result, 100)
end

on "bidi_stream" do
  words = Queue.new
  replies = STUB.shout(Enumerator.new { |out| while (word = words.pop) do out << word end })
  words << ShoutRequest.new(mark: "!", words: "one")
  same(replies.next.result, "ONE!") # before the next word is said
  words << ShoutRequest.new(words: "two")
  same(replies.next.result, "TWO!")
  words << nil
  begin
    raise "no end but #{replies.next.inspect}"
  rescue StopIteration
    nil
  end
end

on "error_with_fields" do
  value = Bounded.new(count: 0, name: "too long")
  bad = refuses("value.count", "value.name") { STUB.bounded(BoundedRequest.new(value: value)) }
  same(bad.field_violations[0].description.empty?, false)
end

on "error_of_the_method" do
  error = fails(GRPC::Core::StatusCodes::NOT_FOUND) { STUB.fail(FailRequest.new(how: "not found")) }
  same(error.details.dup.force_encoding("UTF-8"), "there is no such thing: ñ")
end

on "error_that_is_hidden" do
  error = fails(GRPC::Core::StatusCodes::INTERNAL) { STUB.fail(FailRequest.new(how: "secretly")) }
  same(error.details.include?("secret"), false)
end

on "error_with_wait" do
  error = fails(GRPC::Core::StatusCodes::RESOURCE_EXHAUSTED) do
    STUB.fail(FailRequest.new(how: "overloaded"))
  end
  delay = details(error)[0].retry_delay
  same([delay.seconds, delay.nanos], [1, 500_000_000])
end

def released?(key)
  STUB.was_released(WasReleasedRequest.new(key: key)).result
end

on "deadline" do
  key = "ruby-deadline-#{Process.pid}"
  fails(GRPC::Core::StatusCodes::DEADLINE_EXCEEDED) do
    STUB.slow(SlowRequest.new(key: key), deadline: Time.now + 3)
  end
  same(released?(key), true)
end

on "cancellation" do
  key = "ruby-cancellation-#{Process.pid}"
  call = STUB.hold(HoldRequest.new(key: key), return_op: true)
  replies = call.execute
  same(replies.next.result, "begun")
  call.cancel
  fails(GRPC::Core::StatusCodes::CANCELLED) { replies.next }
  same(released?(key), true)
end

on "metadata" do
  asked = { "x-asked" => %w[one two] }
  call = STUB.metadata(MetadataRequest.new, metadata: asked, return_op: true)
  same(call.execute.result, "one+two")
  same(call.metadata["x-answered"], "one+two")
end

on "binary_metadata" do
  asked = { "x-asked-bin" => "\x00\xff\x80".b }
  call = STUB.metadata(MetadataRequest.new, metadata: asked, return_op: true)
  call.execute
  same(call.metadata["x-answered-bin"].b, "\x80\xff\x00".b)
end

on "trailers" do
  asked = { "x-asked" => "one", "x-asked-bin" => "\x00\xff\x80".b }
  call = STUB.metadata(MetadataRequest.new, metadata: asked, return_op: true)
  call.execute
  behind = call.trailing_metadata
  same([behind["x-behind"], behind["x-behind-bin"].b], ["one", "\x80\xff\x00".b])
end

on "endpoint" do
  fails(GRPC::Core::StatusCodes::NOT_FOUND) do
    STUB.nothing(NothingRequest.new, metadata: { "x-mesh-endpoint" => "nowhere" })
  end
end

on "large" do
  data = ((0..250).to_a.pack("C*") * ((8 << 20) / 251 + 1))[0, 8 << 20]
  same(STUB.large(LargeRequest.new(data: data)).result == data, true)
end

on "gzip" do
  text = "conformance " * 5000
  gzip = GRPC::Core::CompressionOptions.new(default_algorithm: :gzip)
  stub = ConformanceService::Stub.new(
    ARGV[0], :this_channel_is_insecure, timeout: SECONDS, channel_args: gzip.to_channel_arg_hash
  )
  same(stub.long_text(LongTextRequest.new(text: text)).result == text, true)
end

on "example" do
  target = ARGV[0]
  # >>> clients.md
  stub = ConformanceService::Stub.new(target, :this_channel_is_insecure, timeout: 5) # seconds
  data = [1.5, -4].pack("e*") # little-endian, row by row
  value = Mesh::V1::Tensor.new(data_type: :DATA_TYPE_FLOAT32, shape: [1, 2], data: data)
  reply = stub.double(DoubleRequest.new(value: value))
  doubled = reply.result.data.unpack("e*")
  picture = Mesh::V1::File.new(media_type: "image/png", filename: "a.png", data: "...")
  begin
    stub.file(FileRequest.new(value: picture))
  rescue GRPC::InvalidArgument => e
    bad = e.to_rpc_status.details[0].unpack(Google::Rpc::BadRequest)
  end
  # <<< clients.md
  same([doubled, bad.field_violations[0].field], [[3, -8], "value"])
end

$stdout.sync = true
CASES.each do |name, check|
  check.call
  puts "ok #{name}"
rescue StandardError => e
  puts "not ok #{name}: #{e.inspect.scrub.split.join(' ')}"
end
