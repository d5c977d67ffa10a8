// Calls every method of the conformance service with a stub generated from its .proto.
// usage: client HOST:PORT

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/v1/conformance.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace {

namespace pb = conformance::v1;
using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using Stub = pb::ConformanceService::Stub;

const char* address;
std::unique_ptr<Stub> stub;

void Require(bool holds, const std::string& why) {
  if (!holds) throw std::runtime_error(why);
}

template <typename Message>
void Same(const Message& seen, const Message& expected) {
  Require(MessageDifferencer::Equals(seen, expected),
          seen.ShortDebugString() + " is not " + expected.ShortDebugString());
}

void WithDeadline(ClientContext& context, int milliseconds = 20000) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(milliseconds));
}

template <typename Request, typename Reply>
using Rpc = Status (Stub::*)(ClientContext*, const Request&, Reply*);

// A call that must not fail.
template <typename Request, typename Reply>
Reply Ask(Rpc<Request, Reply> rpc, const Request& request) {
  ClientContext context;
  WithDeadline(context);
  Reply reply;
  Status status = (stub.get()->*rpc)(&context, request, &reply);
  Require(status.ok(), status.error_message());
  return reply;
}

// A call that must fail with this code.
template <typename Request, typename Reply>
Status Fails(Rpc<Request, Reply> rpc, const Request& request, StatusCode code) {
  ClientContext context;
  WithDeadline(context);
  Reply reply;
  Status status = (stub.get()->*rpc)(&context, request, &reply);
  Require(status.error_code() == code, std::to_string(status.error_code()) + " is the code");
  return status;
}

// A detail of an error: google.rpc.BadRequest or RetryInfo.
template <typename Detail>
Detail DetailOf(const Status& status) {
  google::rpc::Status rich;
  Require(rich.ParseFromString(status.error_details()), "no google.rpc.Status");
  for (const auto& each : rich.details()) {
    Detail detail;
    if (each.UnpackTo(&detail)) return detail;
  }
  throw std::runtime_error("no such detail");
}

template <typename Request, typename Reply>
void Refuses(Rpc<Request, Reply> rpc, const Request& request, std::vector<std::string> fields) {
  Status status = Fails(rpc, request, StatusCode::INVALID_ARGUMENT);
  auto bad = DetailOf<google::rpc::BadRequest>(status);
  std::vector<std::string> seen;
  for (const auto& each : bad.field_violations()) seen.push_back(each.field());
  Require(seen == fields, "other fields");
}

template <typename Request, typename Reply>
void ComesBack(Rpc<Request, Reply> rpc, const Request& request) {
  Same(Ask(rpc, request).result(), request.value());
}

void Scalars() {
  pb::ScalarsRequest request;
  auto* value = request.mutable_value();
  value->set_text("Grüße, 世界 🚀");
  value->set_whole(INT64_MIN);
  value->set_real(-0.1);
  value->set_truth(true);
  value->set_binary(std::string("\x00\xff\x80", 3));
  ComesBack(&Stub::Scalars, request);
}

void Zeros() {
  pb::ScalarsRequest request;
  request.mutable_value();
  ComesBack(&Stub::Scalars, request);
}

void Lists() {
  pb::ListsRequest request;
  auto* value = request.mutable_value();
  for (const char* each : {"a", "", "c"}) value->add_names(each);
  for (int64_t each : {int64_t{3}, int64_t{-1}, int64_t{1} << 62}) value->add_numbers(each);
  for (int64_t each : {1, 2}) value->add_unique(each);
  for (double each : {0.5, 1.5, 2.5}) value->add_many(each);
  value->mutable_pair()->set_item1(7);
  value->mutable_pair()->set_item2("seven");
  auto* row = value->add_rows();
  row->add_items(1);
  row->add_items(2);
  value->add_rows();
  value->add_rows()->add_items(3);
  auto* point = value->add_points();
  point->set_x(1);
  point->set_y(2.5);
  value->add_points();
  ComesBack(&Stub::Lists, request);
}

void EmptyLists() {
  pb::ListsRequest request;
  request.mutable_value()->mutable_pair();
  ComesBack(&Stub::Lists, request);
}

void Maps() {
  pb::MapsRequest request;
  auto& value = *request.mutable_value();
  (*value.mutable_counts())["one"] = 1;
  (*value.mutable_counts())[""] = 0;
  (*value.mutable_names())[-1] = "minus";
  (*value.mutable_names())[0] = "zero";
  auto& odd = (*value.mutable_rows())["odd"];
  odd.add_items(1);
  odd.add_items(3);
  (*value.mutable_rows())["none"];
  auto& here = (*value.mutable_points())["here"];
  here.set_x(1);
  here.set_y(2.5);
  ComesBack(&Stub::Maps, request);
}

void Absent() {
  pb::OptionalsRequest request;
  request.mutable_value();
  auto result = Ask(&Stub::Optionals, request).result();
  Require(!result.has_maybe() && !result.has_point(), "something is there");
  Require(result.number() == 5 && result.text() == "fallback", result.ShortDebugString());
}

void Given() {
  pb::OptionalsRequest request;
  auto* value = request.mutable_value();
  value->set_maybe(0);
  value->set_number(0);
  value->set_text("");
  value->mutable_point();
  auto result = Ask(&Stub::Optionals, request).result();
  Require(result.has_maybe() && result.has_number() && result.has_text(), "something lacks");
  Same(result, *value);
}

void EitherWhole() {
  pb::EitherRequest request;
  request.set_value_int(7);
  auto reply = Ask(&Stub::Either, request);
  Require(reply.result_case() == pb::EitherResponse::kResultInt, "no number");
  Require(reply.result_int() == 7, "another number");
}

void EitherText() {
  pb::EitherRequest request;
  request.set_value_str("seven");
  auto reply = Ask(&Stub::Either, request);
  Require(reply.result_case() == pb::EitherResponse::kResultStr, "no text");
  Require(reply.result_str() == "seven", "another text");
}

void Form() {
  pb::FormRequest circle, rectangle;
  circle.mutable_value_circle()->set_radius(1.5);
  rectangle.mutable_value_rectangle()->set_width(2);
  rectangle.mutable_value_rectangle()->set_height(3);
  Same(Ask(&Stub::Form, circle).result_rectangle(), rectangle.value_rectangle());
  Same(Ask(&Stub::Form, rectangle).result_circle(), circle.value_circle());
}

void Forms() {
  pb::FormsRequest request;
  request.add_values()->mutable_value_circle()->set_radius(1.5);
  auto* rectangle = request.add_values()->mutable_value_rectangle();
  rectangle->set_width(2);
  rectangle->set_height(3);
  auto reply = Ask(&Stub::Forms, request);
  Require(reply.result_size() == 2, "not two");
  Same(reply.result(0), request.values(1));
  Same(reply.result(1), request.values(0));
}

void Colour() {
  pb::ColourRequest request;
  request.set_value(pb::COLOUR_DARK_BLUE);
  Require(Ask(&Stub::Colour, request).result() == pb::COLOUR_DARK_BLUE, "another colour");
}

void ColourMissing() { Refuses(&Stub::Colour, pb::ColourRequest(), {"value"}); }

void ColourUnknown() {
  pb::ColourRequest request;
  request.set_value(static_cast<pb::Colour>(99));
  Refuses(&Stub::Colour, request, {"value"});
}

void Times() {
  pb::TimesRequest request;
  auto* value = request.mutable_value();
  Require(TimeUtil::FromString("2024-02-29T12:30:00.123456Z", value->mutable_at()), "no time");
  *value->mutable_took() = TimeUtil::MillisecondsToDuration(-1500);
  ComesBack(&Stub::Times, request);
}

void Texts() {
  pb::TextsRequest request;
  auto* value = request.mutable_value();
  value->set_identity("12345678-1234-5678-1234-567812345678");
  value->set_amount("123.4500");
  value->set_speed("fast");
  ComesBack(&Stub::Texts, request);
}

void TextsRefused() {
  pb::TextsRequest request;
  auto* value = request.mutable_value();
  value->set_identity("none");
  value->set_amount("1,5");
  value->set_speed("faster");
  Refuses(&Stub::Texts, request, {"value.identity", "value.amount", "value.speed"});
}

void Records() {
  pb::RecordsRequest request;
  auto* value = request.mutable_value();
  value->mutable_point()->set_x(1);
  value->mutable_point()->set_y(2.5);
  value->mutable_span()->set_start(3);
  value->mutable_options()->set_depth(2);
  value->mutable_options()->set_name("deep");
  auto* span = value->add_spans();
  span->set_start(1);
  span->set_end(2);
  auto result = Ask(&Stub::Records, request).result();
  value->mutable_span()->set_end(10);
  Same(result, *value);
}

void Tree() {
  pb::TreeRequest request;
  auto* value = request.mutable_value();
  value->set_value(1);
  auto* inner = value->add_children();
  inner->set_value(2);
  inner->add_children()->set_value(3);
  value->add_children()->set_value(4);
  ComesBack(&Stub::Tree, request);
}

void Anything() {
  pb::AnythingRequest request;
  const char* json =
      R"({"list": [1, 2.5, "three", true, null], "inner": {"empty": {}, "none": []}, "text": "x"})";
  Require(google::protobuf::util::JsonStringToMessage(json, request.mutable_value()).ok(), json);
  ComesBack(&Stub::Anything, request);
}

void AnythingNull() {
  pb::AnythingRequest request;
  request.mutable_value()->set_null_value(google::protobuf::NULL_VALUE);
  Require(Ask(&Stub::Anything, request).result().has_null_value(), "not null");
}

void Nothing() { Same(Ask(&Stub::Nothing, pb::NothingRequest()), pb::NothingResponse()); }

// A tensor of elements in the order of the machine, which is little-endian.
template <typename Element>
mesh::v1::Tensor TensorOf(mesh::v1::DataType type, std::vector<int64_t> shape,
                          const std::vector<Element>& elements) {
  mesh::v1::Tensor tensor;
  tensor.set_data_type(type);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_data(elements.data(), elements.size() * sizeof(Element));
  return tensor;
}

mesh::v1::Tensor TextsOf(std::vector<int64_t> shape, std::vector<const char*> strings) {
  mesh::v1::Tensor tensor;
  tensor.set_data_type(mesh::v1::DATA_TYPE_STRING);
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  for (const char* each : strings) tensor.add_strings(each);
  return tensor;
}

template <typename Element>
std::vector<Element> ElementsOf(const mesh::v1::Tensor& tensor) {
  std::vector<Element> elements(tensor.data().size() / sizeof(Element));
  std::memcpy(elements.data(), tensor.data().data(), elements.size() * sizeof(Element));
  return elements;
}

void Echoes(const char* name, const mesh::v1::Tensor& tensor) {
  pb::TensorRequest request;
  request.set_name(name);
  *request.mutable_value() = tensor;
  ComesBack(&Stub::Tensor, request);
}

void TensorFloat32() {
  Echoes("float32",
         TensorOf<float>(mesh::v1::DATA_TYPE_FLOAT32, {2, 3}, {1.5f, -2, 3, 0, 0.25f, -0.0f}));
}

void TensorFloat16() {  // the bits of 1, -2 and 65504
  Echoes("float16",
         TensorOf<uint16_t>(mesh::v1::DATA_TYPE_FLOAT16, {3}, {0x3c00, 0xc000, 0x7bff}));
}

void TensorFloat64() {
  Echoes("float64", TensorOf<double>(mesh::v1::DATA_TYPE_FLOAT64, {}, {0.1}));
}

void TensorInt64() {
  Echoes("int64", TensorOf<int64_t>(mesh::v1::DATA_TYPE_INT64, {2, 1}, {INT64_MIN, INT64_MAX}));
}

void TensorUint8() {
  Echoes("uint8",
         TensorOf<uint8_t>(mesh::v1::DATA_TYPE_UINT8, {2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}));
}

void TensorBool() { Echoes("bool", TensorOf<uint8_t>(mesh::v1::DATA_TYPE_BOOL, {3}, {1, 0, 1})); }

void TensorStr() { Echoes("str", TextsOf({2, 2}, {"a", "ß", "", "long text"})); }

void TensorEmpty() {
  Echoes("empty", TensorOf<int32_t>(mesh::v1::DATA_TYPE_INT32, {0, 3}, {}));
}

pb::DoubleRequest ToDouble(std::vector<int64_t> shape, const std::vector<float>& elements) {
  pb::DoubleRequest request;
  *request.mutable_value() = TensorOf(mesh::v1::DATA_TYPE_FLOAT32, shape, elements);
  return request;
}

void TensorDoubled() {
  auto reply = Ask(&Stub::Double, ToDouble({1, 2}, {1.5f, -4}));
  Require(ElementsOf<float>(reply.result()) == std::vector<float>{3, -8}, "not doubled");
}

void TensorOfWrongShape() { Refuses(&Stub::Double, ToDouble({1, 3}, {1, 2, 3}), {"value"}); }

void TensorTooShort() { Refuses(&Stub::Double, ToDouble({2, 2}, {1, 2, 3}), {"value"}); }

const std::string kSecondMissing("\x01\x00\x01", 3);

void Frame() {
  pb::FrameRequest request;
  auto* value = request.mutable_value();
  auto add = [value](const char* name, const mesh::v1::Tensor& values) {
    auto* column = value->add_columns();
    column->set_name(name);
    *column->mutable_values() = values;
    return column;
  };
  add("id", TensorOf<int64_t>(mesh::v1::DATA_TYPE_INT64, {3}, {1, 2, 3}));
  add("score", TensorOf<double>(mesh::v1::DATA_TYPE_FLOAT64, {3}, {0.5, NAN, 2.5}));
  add("count", TensorOf<int64_t>(mesh::v1::DATA_TYPE_INT64, {3}, {10, 0, 30}))
      ->set_validity(kSecondMissing);
  add("name", TextsOf({3}, {"a", "", "ß"}))->set_validity(kSecondMissing);
  add("seen", TensorOf<uint8_t>(mesh::v1::DATA_TYPE_BOOL, {3}, {1, 0, 1}));
  auto result = Ask(&Stub::Frame, request).result();
  Require(result.columns_size() == 5, "not five columns");
  auto scores = ElementsOf<double>(result.columns(1).values());
  Require(scores[0] == 0.5 && std::isnan(scores[1]) && scores[2] == 2.5, "other scores");
  *result.mutable_columns(1) = value->columns(1);  // whose NaN may have other bits
  Same(result, *value);
}

void Series() {
  pb::SeriesRequest request;
  auto* value = request.mutable_value();
  value->set_name("score");
  value->set_validity(kSecondMissing);
  *value->mutable_values() = TensorOf<double>(mesh::v1::DATA_TYPE_FLOAT64, {3}, {1.5, 0, 3.5});
  auto result = Ask(&Stub::Series, request).result();
  auto seen = ElementsOf<double>(result.values());
  Require(result.name() == "score" && result.validity() == kSecondMissing, "another column");
  Require(seen[0] == 1.5 && seen[2] == 3.5, "other values");
}

pb::FileRequest Csv(const char* media_type) {
  pb::FileRequest request;
  request.mutable_value()->set_media_type(media_type);
  request.mutable_value()->set_filename("numbers.csv");
  request.mutable_value()->set_data("a,b\n1,2\n");
  return request;
}

void File() {
  mesh::v1::File expected;
  expected.set_media_type("text/plain");
  expected.set_filename("numbers.txt");
  expected.set_data("A,B\n1,2\n");
  Same(Ask(&Stub::File, Csv("text/csv")).result(), expected);
}

void FileOfWrongType() { Refuses(&Stub::File, Csv("image/png"), {"value"}); }

mesh::v1::File Flipped(const mesh::v1::File& image) {
  pb::FlippedRequest request;
  *request.mutable_image() = image;
  return Ask(&Stub::Flipped, request).result();
}

void Image() {
  const unsigned char png[] = {
      0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
      0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x7b,
      0x40, 0xe8, 0xdd, 0x00, 0x00, 0x00, 0x0f, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8,
      0xcf, 0xc0, 0xc0, 0xc0, 0xf0, 0x1f, 0x00, 0x07, 0x00, 0x01, 0xff, 0x7e, 0x08, 0xb1, 0xd0,
      0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82};
  mesh::v1::File image;
  image.set_media_type("image/png");
  image.set_data(png, sizeof png);
  auto once = Flipped(image);
  Require(once.media_type() == "image/png" && once.data().substr(1, 3) == "PNG", "no PNG");
  auto twice = Flipped(once);
  Require(twice.data() != once.data(), "not flipped");
  Require(Flipped(twice).data() == once.data(), "not flipped again");
}

void ServerStream() {
  ClientContext context;
  WithDeadline(context);
  pb::CountRequest request;
  request.set_upto(3);
  auto replies = stub->Count(&context, request);
  std::vector<int64_t> seen;
  for (pb::CountResponse reply; replies->Read(&reply);) seen.push_back(reply.result());
  Require(replies->Finish().ok() && seen == std::vector<int64_t>{1, 2, 3}, "other messages");
}

void ServerStreamThatFails() {
  ClientContext context;
  WithDeadline(context);
  pb::CountRequest request;
  request.set_upto(5);
  auto replies = stub->Count(&context, request);
  std::vector<int64_t> seen;
  for (pb::CountResponse reply; replies->Read(&reply);) seen.push_back(reply.result());
  Status status = replies->Finish();
  Require(seen == std::vector<int64_t>{1, 2, 3}, "other messages");
  Require(status.error_code() == StatusCode::NOT_FOUND, "another code");
  Require(status.error_message() == "there is no 4", status.error_message());
}

int64_t Total(const std::vector<pb::TotalRequest>& requests) {
  ClientContext context;
  WithDeadline(context);
  pb::TotalResponse reply;
  auto writer = stub->Total(&context, &reply);
  for (const auto& each : requests) Require(writer->Write(each), "cannot write");
  writer->WritesDone();
  Status status = writer->Finish();
  Require(status.ok(), status.error_message());
  return reply.result();
}

void ClientStream() {
  std::vector<pb::TotalRequest> requests(4);
  requests[0].set_start(1000);
  for (int number : {1, 2, 3}) requests[number].set_numbers(number);
  Require(Total(requests) == 1006, "another sum");
}

void ClientStreamOfNone() { Require(Total({}) == 100, "another sum"); }

void BidiStream() {
  ClientContext context;
  WithDeadline(context);
  auto call = stub->Shout(&context);
  pb::ShoutRequest first, second;
  first.set_mark("!");
  first.set_words("one");
  second.set_words("two");
  pb::ShoutResponse reply;
  Require(call->Write(first) && call->Read(&reply) && reply.result() == "ONE!", "no ONE!");
  Require(call->Write(second) && call->Read(&reply) && reply.result() == "TWO!", "no TWO!");
  Require(call->WritesDone() && !call->Read(&reply), "no end");
  Require(call->Finish().ok(), "no good end");
}

void ErrorWithFields() {
  pb::BoundedRequest request;
  request.mutable_value()->set_count(0);
  request.mutable_value()->set_name("too long");
  Refuses(&Stub::Bounded, request, {"value.count", "value.name"});
  Status status = Fails(&Stub::Bounded, request, StatusCode::INVALID_ARGUMENT);
  auto first = DetailOf<google::rpc::BadRequest>(status).field_violations(0);
  Require(first.reason() == "GREATER_THAN_EQUAL", first.reason());
}

Status Fail(const char* how, StatusCode code) {
  pb::FailRequest request;
  request.set_how(how);
  return Fails(&Stub::Fail, request, code);
}

void ErrorOfTheMethod() {
  Status status = Fail("not found", StatusCode::NOT_FOUND);
  Require(status.error_message() == "there is no such thing: ñ", status.error_message());
}

void ErrorThatIsHidden() {
  Status status = Fail("secretly", StatusCode::INTERNAL);
  Require(status.error_message().find("secret") == std::string::npos, status.error_message());
}

void ErrorWithWait() {
  Status status = Fail("overloaded", StatusCode::RESOURCE_EXHAUSTED);
  auto wait = DetailOf<google::rpc::RetryInfo>(status).retry_delay();
  Require(TimeUtil::DurationToMilliseconds(wait) == 1500, wait.ShortDebugString());
}

std::string Key(const char* name) { return name + std::to_string(getpid()); }

void RequireReleased(const std::string& key) {
  pb::WasReleasedRequest request;
  request.set_key(key);
  Require(Ask(&Stub::WasReleased, request).result(), "not cancelled");
}

void Deadline() {
  ClientContext context;
  WithDeadline(context, 3000);
  pb::SlowRequest request;
  request.set_key(Key("cpp-deadline-"));
  pb::SlowResponse reply;
  Status status = stub->Slow(&context, request, &reply);
  Require(status.error_code() == StatusCode::DEADLINE_EXCEEDED, status.error_message());
  RequireReleased(request.key());
}

void Cancellation() {
  ClientContext context;
  WithDeadline(context);
  pb::HoldRequest request;
  request.set_key(Key("cpp-cancellation-"));
  auto replies = stub->Hold(&context, request);
  pb::HoldResponse reply;
  Require(replies->Read(&reply) && reply.result() == "begun", "not begun");
  context.TryCancel();
  Require(!replies->Read(&reply), "not cancelled");
  Require(replies->Finish().error_code() == StatusCode::CANCELLED, "another code");
  RequireReleased(request.key());
}

void Metadata() {
  ClientContext context;
  WithDeadline(context);
  context.AddMetadata("x-asked", "one");
  context.AddMetadata("x-asked", "two");
  pb::MetadataResponse reply;
  Status status = stub->Metadata(&context, pb::MetadataRequest(), &reply);
  Require(status.ok() && reply.result() == "one+two", reply.result());
  auto answered = context.GetServerInitialMetadata().find("x-answered");
  Require(answered != context.GetServerInitialMetadata().end(), "no metadata");
  Require(answered->second == "one+two", "other metadata");
}

const std::string kBytes("\x00\xff\x80", 3), kTurned("\x80\xff\x00", 3);

// Whether metadata has this value.
bool Has(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, const char* name,
         const std::string& value) {
  auto found = metadata.find(name);
  return found != metadata.end() && found->second == value;
}

void BinaryMetadata() {
  ClientContext context;
  WithDeadline(context);
  context.AddMetadata("x-asked-bin", kBytes);
  pb::MetadataResponse reply;
  Status status = stub->Metadata(&context, pb::MetadataRequest(), &reply);
  Require(status.ok(), status.error_message());
  Require(Has(context.GetServerInitialMetadata(), "x-answered-bin", kTurned), "other bytes");
}

void Trailers() {
  ClientContext context;
  WithDeadline(context);
  context.AddMetadata("x-asked", "one");
  context.AddMetadata("x-asked-bin", kBytes);
  pb::MetadataResponse reply;
  Status status = stub->Metadata(&context, pb::MetadataRequest(), &reply);
  Require(status.ok(), status.error_message());
  Require(Has(context.GetServerTrailingMetadata(), "x-behind", "one"), "another text");
  Require(Has(context.GetServerTrailingMetadata(), "x-behind-bin", kTurned), "other bytes");
}

void Endpoint() {
  ClientContext context;
  WithDeadline(context);
  context.AddMetadata("x-mesh-endpoint", "nowhere");
  pb::NothingResponse reply;
  Status status = stub->Nothing(&context, pb::NothingRequest(), &reply);
  Require(status.error_code() == StatusCode::NOT_FOUND, status.error_message());
}

void Large() {
  pb::LargeRequest request;
  std::string* data = request.mutable_data();
  data->resize(8 << 20);
  for (size_t at = 0; at < data->size(); ++at) (*data)[at] = static_cast<char>(at % 251);
  Require(Ask(&Stub::Large, request).result() == *data, "other bytes");
}

void Gzip() {
  ClientContext context;
  WithDeadline(context);
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  pb::LongTextRequest request;
  for (int count = 0; count < 5000; ++count) request.mutable_text()->append("conformance ");
  pb::LongTextResponse reply;
  Status status = stub->LongText(&context, request, &reply);
  Require(status.ok() && reply.result() == request.text(), status.error_message());
}

void Example() {
  const char* target = address;
  // >>> clients.md
  auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
  auto stub = pb::ConformanceService::NewStub(channel);
  const float elements[] = {1.5f, -4};  // little-endian, row by row
  pb::DoubleRequest request;
  request.mutable_value()->set_data_type(mesh::v1::DATA_TYPE_FLOAT32);
  request.mutable_value()->add_shape(1);
  request.mutable_value()->add_shape(2);
  request.mutable_value()->set_data(elements, sizeof elements);
  pb::DoubleResponse reply;
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  Status status = stub->Double(&context, request, &reply);

  pb::FileRequest picture;
  picture.mutable_value()->set_media_type("image/png");
  picture.mutable_value()->set_data("...");
  pb::FileResponse file;
  ClientContext another;
  Status refused = stub->File(&another, picture, &file);  // INVALID_ARGUMENT
  google::rpc::Status rich;
  google::rpc::BadRequest bad;
  rich.ParseFromString(refused.error_details());
  rich.details(0).UnpackTo(&bad);
  // <<< clients.md
  Require(status.ok() && ElementsOf<float>(reply.result())[1] == -8, "not doubled");
  Require(bad.field_violations(0).field() == "value", bad.ShortDebugString());
}

const std::pair<const char*, void (*)()> kCases[] = {
    {"scalars", Scalars},
    {"zeros", Zeros},
    {"lists", Lists},
    {"empty_lists", EmptyLists},
    {"maps", Maps},
    {"absent", Absent},
    {"given", Given},
    {"either_whole", EitherWhole},
    {"either_text", EitherText},
    {"form", Form},
    {"forms", Forms},
    {"colour", Colour},
    {"colour_missing", ColourMissing},
    {"colour_unknown", ColourUnknown},
    {"times", Times},
    {"texts", Texts},
    {"texts_refused", TextsRefused},
    {"records", Records},
    {"tree", Tree},
    {"anything", Anything},
    {"anything_null", AnythingNull},
    {"nothing", Nothing},
    {"tensor_float32", TensorFloat32},
    {"tensor_float16", TensorFloat16},
    {"tensor_float64", TensorFloat64},
    {"tensor_int64", TensorInt64},
    {"tensor_uint8", TensorUint8},
    {"tensor_bool", TensorBool},
    {"tensor_str", TensorStr},
    {"tensor_empty", TensorEmpty},
    {"tensor_doubled", TensorDoubled},
    {"tensor_of_wrong_shape", TensorOfWrongShape},
    {"tensor_too_short", TensorTooShort},
    {"frame", Frame},
    {"series", Series},
    {"file", File},
    {"file_of_wrong_type", FileOfWrongType},
    {"image", Image},
    {"server_stream", ServerStream},
    {"server_stream_that_fails", ServerStreamThatFails},
    {"client_stream", ClientStream},
    {"client_stream_of_none", ClientStreamOfNone},
    {"bidi_stream", BidiStream},
    {"error_with_fields", ErrorWithFields},
    {"error_of_the_method", ErrorOfTheMethod},
    {"error_that_is_hidden", ErrorThatIsHidden},
    {"error_with_wait", ErrorWithWait},
    {"deadline", Deadline},
    {"cancellation", Cancellation},
    {"metadata", Metadata},
    {"binary_metadata", BinaryMetadata},
    {"trailers", Trailers},
    {"endpoint", Endpoint},
    {"large", Large},
    {"gzip", Gzip},
    {"example", Example},
};

}  // namespace

int main(int, char** arguments) {
  address = arguments[1];
  grpc::ChannelArguments options;
  options.SetMaxReceiveMessageSize(16 << 20);
  auto channel =
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), options);
  stub = pb::ConformanceService::NewStub(channel);
  for (const auto& [name, check] : kCases) {
    try {
      check();
      std::cout << "ok " << name << std::endl;
    } catch (const std::exception& error) {
      std::cout << "not ok " << name << ": " << error.what() << std::endl;
    }
  }
}
