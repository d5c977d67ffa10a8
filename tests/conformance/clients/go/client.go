// Client calls every method of the conformance service with a stub generated from its .proto.
//
// Usage: client HOST:PORT
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "conformance/v1"
	mesh "mesh/v1"
)

var stub pb.ConformanceServiceClient

// require fails the case unless the condition holds.
func require(holds bool, why ...interface{}) {
	if !holds {
		panic(fmt.Sprint(why...))
	}
}

func same(seen, expected interface{}) {
	if a, ok := seen.(proto.Message); ok {
		require(proto.Equal(a, expected.(proto.Message)), seen, " is not ", expected)
		return
	}
	require(reflect.DeepEqual(seen, expected), seen, " is not ", expected)
}

func inTime() context.Context {
	ctx, _ := context.WithTimeout(context.Background(), 20*time.Second) //nolint:govet // ends with the program
	return ctx
}

func fails(err error, code codes.Code) *status.Status {
	require(err != nil, "no error")
	found := status.Convert(err)
	require(found.Code() == code, found.Code(), ": ", found.Message())
	return found
}

// refuses fails the case unless the error says that these fields are wrong.
func refuses(err error, fields ...string) *errdetails.BadRequest {
	for _, detail := range fails(err, codes.InvalidArgument).Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			var seen []string
			for _, each := range bad.FieldViolations {
				seen = append(seen, each.Field)
			}
			same(seen, fields)
			return bad
		}
	}
	panic("no google.rpc.BadRequest")
}

func scalars() {
	value := &pb.Scalars{
		Text: "Grüße, 世界 🚀", Whole: math.MinInt64, Real: -0.1, Truth: true,
		Binary: []byte{0x00, 0xff, 0x80},
	}
	reply, err := stub.Scalars(inTime(), &pb.ScalarsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func zeros() {
	reply, err := stub.Scalars(inTime(), &pb.ScalarsRequest{Value: &pb.Scalars{}})
	require(err == nil, err)
	same(reply.Result, &pb.Scalars{})
}

func lists() {
	value := &pb.Lists{
		Names:   []string{"a", "", "c"},
		Numbers: []int64{3, -1, 1 << 62},
		Unique:  []int64{1, 2},
		Many:    []float64{0.5, 1.5, 2.5},
		Pair:    &pb.Int64AndStringTuple{Item1: 7, Item2: "seven"},
		Rows:    []*pb.DoubleList{{Items: []float64{1, 2}}, {}, {Items: []float64{3}}},
		Points:  []*pb.Point{{X: 1, Y: 2.5}, {}},
	}
	reply, err := stub.Lists(inTime(), &pb.ListsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func emptyLists() {
	value := &pb.Lists{Pair: &pb.Int64AndStringTuple{}}
	reply, err := stub.Lists(inTime(), &pb.ListsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func maps() {
	value := &pb.Maps{
		Counts: map[string]int64{"one": 1, "": 0},
		Names:  map[int64]string{-1: "minus", 0: "zero"},
		Rows:   map[string]*pb.Int64List{"odd": {Items: []int64{1, 3}}, "none": {}},
		Points: map[string]*pb.Point{"here": {X: 1, Y: 2.5}},
	}
	reply, err := stub.Maps(inTime(), &pb.MapsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func absent() {
	reply, err := stub.Optionals(inTime(), &pb.OptionalsRequest{Value: &pb.Optionals{}})
	require(err == nil, err)
	expected := &pb.Optionals{Number: proto.Int64(5), Text: proto.String("fallback")}
	same(reply.Result, expected)
}

func given() {
	value := &pb.Optionals{
		Maybe: proto.Int64(0), Number: proto.Int64(0), Text: proto.String(""), Point: &pb.Point{},
	}
	reply, err := stub.Optionals(inTime(), &pb.OptionalsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func eitherWhole() {
	request := &pb.EitherRequest{Value: &pb.EitherRequest_ValueInt{ValueInt: 7}}
	reply, err := stub.Either(inTime(), request)
	require(err == nil, err)
	same(reply.Result, &pb.EitherResponse_ResultInt{ResultInt: 7})
}

func eitherText() {
	request := &pb.EitherRequest{Value: &pb.EitherRequest_ValueStr{ValueStr: "seven"}}
	reply, err := stub.Either(inTime(), request)
	require(err == nil, err)
	same(reply.Result, &pb.EitherResponse_ResultStr{ResultStr: "seven"})
}

func form() {
	circle, rectangle := &pb.Circle{Radius: 1.5}, &pb.Rectangle{Width: 2, Height: 3}
	reply, err := stub.Form(inTime(), &pb.FormRequest{Value: &pb.FormRequest_ValueCircle{ValueCircle: circle}})
	require(err == nil, err)
	same(reply.GetResultRectangle(), rectangle)
	reply, err = stub.Form(inTime(), &pb.FormRequest{Value: &pb.FormRequest_ValueRectangle{ValueRectangle: rectangle}})
	require(err == nil, err)
	same(reply.GetResultCircle(), circle)
}

func forms() {
	values := []*pb.CircleOrRectangle{
		{Value: &pb.CircleOrRectangle_ValueCircle{ValueCircle: &pb.Circle{Radius: 1.5}}},
		{Value: &pb.CircleOrRectangle_ValueRectangle{ValueRectangle: &pb.Rectangle{Width: 2, Height: 3}}},
	}
	reply, err := stub.Forms(inTime(), &pb.FormsRequest{Values: values})
	require(err == nil, err)
	require(len(reply.Result) == 2, reply)
	same(reply.Result[0], values[1])
	same(reply.Result[1], values[0])
}

func colour() {
	reply, err := stub.Colour(inTime(), &pb.ColourRequest{Value: pb.Colour_COLOUR_DARK_BLUE})
	require(err == nil, err)
	same(reply.Result, pb.Colour_COLOUR_DARK_BLUE)
}

func colourMissing() {
	_, err := stub.Colour(inTime(), &pb.ColourRequest{})
	refuses(err, "value")
}

func colourUnknown() {
	_, err := stub.Colour(inTime(), &pb.ColourRequest{Value: 99})
	refuses(err, "value")
}

func times() {
	value := &pb.Times{
		At:   timestamppb.New(time.Date(2024, 2, 29, 12, 30, 0, 123456000, time.UTC)),
		Took: durationpb.New(-1500 * time.Millisecond),
	}
	reply, err := stub.Times(inTime(), &pb.TimesRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func texts() {
	value := &pb.Texts{
		Identity: "12345678-1234-5678-1234-567812345678", Amount: "123.4500", Speed: "fast",
	}
	reply, err := stub.Texts(inTime(), &pb.TextsRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func textsRefused() {
	value := &pb.Texts{Identity: "none", Amount: "1,5", Speed: "faster"}
	_, err := stub.Texts(inTime(), &pb.TextsRequest{Value: value})
	refuses(err, "value.identity", "value.amount", "value.speed")
}

func records() {
	value := &pb.Records{
		Point:   &pb.Point{X: 1, Y: 2.5},
		Span:    &pb.Span{Start: 3},
		Options: &pb.Options{Depth: 2, Name: "deep"},
		Spans:   []*pb.Span{{Start: 1, End: proto.Int64(2)}},
	}
	reply, err := stub.Records(inTime(), &pb.RecordsRequest{Value: value})
	require(err == nil, err)
	value.Span.End = proto.Int64(10)
	same(reply.Result, value)
}

func tree() {
	value := &pb.Tree{Value: 1, Children: []*pb.Tree{
		{Value: 2, Children: []*pb.Tree{{Value: 3}}},
		{Value: 4},
	}}
	reply, err := stub.Tree(inTime(), &pb.TreeRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func anything() {
	value, err := structpb.NewValue(map[string]interface{}{
		"list":  []interface{}{1, 2.5, "three", true, nil},
		"inner": map[string]interface{}{"empty": map[string]interface{}{}, "none": []interface{}{}},
		"text":  "x",
	})
	require(err == nil, err)
	reply, err := stub.Anything(inTime(), &pb.AnythingRequest{Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func anythingNull() {
	reply, err := stub.Anything(inTime(), &pb.AnythingRequest{Value: structpb.NewNullValue()})
	require(err == nil, err)
	same(reply.Result, structpb.NewNullValue())
}

func nothing() {
	reply, err := stub.Nothing(inTime(), &pb.NothingRequest{})
	require(err == nil, err)
	same(reply, &pb.NothingResponse{})
}

// tensor has the elements of a slice of numbers, little-endian.
func tensor(of mesh.DataType, shape []int64, elements interface{}) *mesh.Tensor {
	var data bytes.Buffer
	require(binary.Write(&data, binary.LittleEndian, elements) == nil, "no numbers")
	return &mesh.Tensor{DataType: of, Shape: shape, Data: data.Bytes()}
}

// read fills a slice of numbers with the elements of a tensor.
func read(tensor *mesh.Tensor, into interface{}) {
	err := binary.Read(bytes.NewReader(tensor.Data), binary.LittleEndian, into)
	require(err == nil, err)
}

func echoes(name string, value *mesh.Tensor) {
	reply, err := stub.Tensor(inTime(), &pb.TensorRequest{Name: name, Value: value})
	require(err == nil, err)
	same(reply.Result, value)
}

func tensorFloat32() {
	elements := []float32{1.5, -2, 3, 0, 0.25, float32(math.Copysign(0, -1))}
	echoes("float32", tensor(mesh.DataType_DATA_TYPE_FLOAT32, []int64{2, 3}, elements))
}

func tensorFloat16() { // the bits of 1, -2 and 65504
	bits := []uint16{0x3c00, 0xc000, 0x7bff}
	echoes("float16", tensor(mesh.DataType_DATA_TYPE_FLOAT16, []int64{3}, bits))
}

func tensorFloat64() {
	echoes("float64", tensor(mesh.DataType_DATA_TYPE_FLOAT64, nil, []float64{0.1}))
}

func tensorInt64() {
	ends := []int64{math.MinInt64, math.MaxInt64}
	echoes("int64", tensor(mesh.DataType_DATA_TYPE_INT64, []int64{2, 1}, ends))
}

func tensorUint8() {
	elements := []uint8{0, 1, 2, 3, 4, 5, 6, 7}
	echoes("uint8", tensor(mesh.DataType_DATA_TYPE_UINT8, []int64{2, 2, 2}, elements))
}

func tensorBool() {
	echoes("bool", tensor(mesh.DataType_DATA_TYPE_BOOL, []int64{3}, []bool{true, false, true}))
}

func tensorStr() {
	strings := []string{"a", "ß", "", "long text"}
	echoes("str", &mesh.Tensor{
		DataType: mesh.DataType_DATA_TYPE_STRING, Shape: []int64{2, 2}, Strings: strings,
	})
}

func tensorEmpty() {
	echoes("empty", tensor(mesh.DataType_DATA_TYPE_INT32, []int64{0, 3}, []int32{}))
}

func tensorDoubled() {
	value := tensor(mesh.DataType_DATA_TYPE_FLOAT32, []int64{1, 2}, []float32{1.5, -4})
	reply, err := stub.Double(inTime(), &pb.DoubleRequest{Value: value})
	require(err == nil, err)
	doubled := make([]float32, 2)
	read(reply.Result, doubled)
	same(doubled, []float32{3, -8})
}

func tensorOfWrongShape() {
	value := tensor(mesh.DataType_DATA_TYPE_FLOAT32, []int64{1, 3}, []float32{1, 2, 3})
	_, err := stub.Double(inTime(), &pb.DoubleRequest{Value: value})
	refuses(err, "value")
}

func tensorTooShort() {
	value := tensor(mesh.DataType_DATA_TYPE_FLOAT32, []int64{2, 2}, []float32{1, 2, 3})
	_, err := stub.Double(inTime(), &pb.DoubleRequest{Value: value})
	refuses(err, "value")
}

var secondMissing = []byte{1, 0, 1}

func frame() {
	numbers := func(of mesh.DataType, elements interface{}) *mesh.Tensor {
		return tensor(of, []int64{3}, elements)
	}
	names := &mesh.Tensor{
		DataType: mesh.DataType_DATA_TYPE_STRING, Shape: []int64{3}, Strings: []string{"a", "", "ß"},
	}
	value := &mesh.DataFrame{Columns: []*mesh.Column{
		{Name: "id", Values: numbers(mesh.DataType_DATA_TYPE_INT64, []int64{1, 2, 3})},
		{Name: "score", Values: numbers(mesh.DataType_DATA_TYPE_FLOAT64, []float64{0.5, math.NaN(), 2.5})},
		{Name: "count", Values: numbers(mesh.DataType_DATA_TYPE_INT64, []int64{10, 0, 30}), Validity: secondMissing},
		{Name: "name", Values: names, Validity: secondMissing},
		{Name: "seen", Values: numbers(mesh.DataType_DATA_TYPE_BOOL, []bool{true, false, true})},
	}}
	reply, err := stub.Frame(inTime(), &pb.FrameRequest{Value: value})
	require(err == nil, err)
	require(len(reply.Result.Columns) == 5, reply)
	scores := make([]float64, 3)
	read(reply.Result.Columns[1].Values, scores)
	require(scores[0] == 0.5 && math.IsNaN(scores[1]) && scores[2] == 2.5, scores)
	reply.Result.Columns[1] = value.Columns[1] // whose NaN may have other bits
	same(reply.Result, value)
}

func series() {
	values := tensor(mesh.DataType_DATA_TYPE_FLOAT64, []int64{3}, []float64{1.5, 0, 3.5})
	value := &mesh.Column{Name: "score", Values: values, Validity: secondMissing}
	reply, err := stub.Series(inTime(), &pb.SeriesRequest{Value: value})
	require(err == nil, err)
	seen := make([]float64, 3)
	read(reply.Result.Values, seen)
	same([]float64{seen[0], seen[2]}, []float64{1.5, 3.5})
	same(reply.Result.Name, "score")
	same(reply.Result.Validity, secondMissing)
}

func csv(mediaType string) *pb.FileRequest {
	content := &mesh.File_Data{Data: []byte("a,b\n1,2\n")}
	return &pb.FileRequest{Value: &mesh.File{
		MediaType: mediaType, Filename: "numbers.csv", Content: content,
	}}
}

func file() {
	reply, err := stub.File(inTime(), csv("text/csv"))
	require(err == nil, err)
	same(reply.Result, &mesh.File{
		MediaType: "text/plain", Filename: "numbers.txt",
		Content: &mesh.File_Data{Data: []byte("A,B\n1,2\n")},
	})
}

func fileOfWrongType() {
	_, err := stub.File(inTime(), csv("image/png"))
	refuses(err, "value")
}

func image() {
	png, err := hex.DecodeString(
		"89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f" +
			"49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082")
	require(err == nil, err)
	flipped := func(image *mesh.File) *mesh.File {
		reply, err := stub.Flipped(inTime(), &pb.FlippedRequest{Image: image})
		require(err == nil, err)
		return reply.Result
	}
	once := flipped(&mesh.File{MediaType: "image/png", Content: &mesh.File_Data{Data: png}})
	same(once.MediaType, "image/png")
	same(once.GetData()[:8], png[:8])
	twice := flipped(once)
	require(!bytes.Equal(twice.GetData(), once.GetData()), "not flipped")
	same(flipped(twice).GetData(), once.GetData())
}

// counted reads a stream of numbers until it ends or fails.
func counted(upto int64) (seen []int64, err error) {
	replies, err := stub.Count(inTime(), &pb.CountRequest{Upto: upto})
	for err == nil {
		var reply *pb.CountResponse
		if reply, err = replies.Recv(); err == nil {
			seen = append(seen, reply.Result)
		}
	}
	return seen, err
}

func serverStream() {
	seen, err := counted(3)
	same(seen, []int64{1, 2, 3})
	require(err == io.EOF, err)
}

func serverStreamThatFails() {
	seen, err := counted(5)
	same(seen, []int64{1, 2, 3})
	same(fails(err, codes.NotFound).Message(), "there is no 4")
}

func total(requests ...*pb.TotalRequest) int64 {
	call, err := stub.Total(inTime())
	require(err == nil, err)
	for _, each := range requests {
		require(call.Send(each) == nil, "cannot send")
	}
	reply, err := call.CloseAndRecv()
	require(err == nil, err)
	return reply.Result
}

func clientStream() {
	requests := []*pb.TotalRequest{{Start: proto.Int64(1000)}}
	for number := int64(1); number <= 3; number++ {
		requests = append(requests, &pb.TotalRequest{Numbers: proto.Int64(number)})
	}
	same(total(requests...), int64(1006))
}

func clientStreamOfNone() {
	same(total(), int64(100))
}

func bidiStream() {
	call, err := stub.Shout(inTime())
	require(err == nil, err)
	heard := func(request *pb.ShoutRequest) string {
		require(call.Send(request) == nil, "cannot send")
		reply, err := call.Recv() // before the next word is said
		require(err == nil, err)
		return reply.Result
	}
	same(heard(&pb.ShoutRequest{Mark: "!", Words: proto.String("one")}), "ONE!")
	same(heard(&pb.ShoutRequest{Words: proto.String("two")}), "TWO!")
	require(call.CloseSend() == nil, "cannot close")
	_, err = call.Recv()
	require(err == io.EOF, err)
}

func errorWithFields() {
	request := &pb.BoundedRequest{Value: &pb.Bounded{Count: 0, Name: "too long"}}
	_, err := stub.Bounded(inTime(), request)
	bad := refuses(err, "value.count", "value.name")
	require(len(bad.FieldViolations[0].Description) > 0, "no description")
}

func errorOfTheMethod() {
	_, err := stub.Fail(inTime(), &pb.FailRequest{How: "not found"})
	same(fails(err, codes.NotFound).Message(), "there is no such thing: ñ")
}

func errorThatIsHidden() {
	_, err := stub.Fail(inTime(), &pb.FailRequest{How: "secretly"})
	message := fails(err, codes.Internal).Message()
	require(!strings.Contains(message, "secret"), message)
}

func errorWithWait() {
	_, err := stub.Fail(inTime(), &pb.FailRequest{How: "overloaded"})
	for _, detail := range fails(err, codes.ResourceExhausted).Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			same(info.RetryDelay.Seconds, int64(1))
			same(info.RetryDelay.Nanos, int32(500000000))
			return
		}
	}
	panic("no google.rpc.RetryInfo")
}

func key(name string) string {
	return fmt.Sprintf("go-%s-%d", name, os.Getpid())
}

func requireReleased(key string) {
	reply, err := stub.WasReleased(inTime(), &pb.WasReleasedRequest{Key: key})
	require(err == nil && reply.Result, "not cancelled: ", err)
}

func deadline() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_, err := stub.Slow(ctx, &pb.SlowRequest{Key: key("deadline")})
	fails(err, codes.DeadlineExceeded)
	requireReleased(key("deadline"))
}

func cancellation() {
	ctx, cancel := context.WithCancel(inTime())
	replies, err := stub.Hold(ctx, &pb.HoldRequest{Key: key("cancellation")})
	require(err == nil, err)
	reply, err := replies.Recv()
	require(err == nil && reply.Result == "begun", err)
	cancel()
	_, err = replies.Recv()
	fails(err, codes.Canceled)
	requireReleased(key("cancellation"))
}

func metadataBothWays() {
	ctx := metadata.AppendToOutgoingContext(inTime(), "x-asked", "one", "x-asked", "two")
	var header metadata.MD
	reply, err := stub.Metadata(ctx, &pb.MetadataRequest{}, grpc.Header(&header))
	require(err == nil, err)
	same(reply.Result, "one+two")
	same(header.Get("x-answered"), []string{"one+two"})
}

func binaryMetadata() {
	ctx := metadata.AppendToOutgoingContext(inTime(), "x-asked-bin", "\x00\xff\x80")
	var header metadata.MD
	_, err := stub.Metadata(ctx, &pb.MetadataRequest{}, grpc.Header(&header))
	require(err == nil, err)
	same(header.Get("x-answered-bin"), []string{"\x80\xff\x00"})
}

func trailers() {
	ctx := metadata.AppendToOutgoingContext(inTime(), "x-asked", "one", "x-asked-bin", "\x00\xff\x80")
	var trailer metadata.MD
	_, err := stub.Metadata(ctx, &pb.MetadataRequest{}, grpc.Trailer(&trailer))
	require(err == nil, err)
	same(trailer.Get("x-behind"), []string{"one"})
	same(trailer.Get("x-behind-bin"), []string{"\x80\xff\x00"})
}

func endpoint() {
	ctx := metadata.AppendToOutgoingContext(inTime(), "x-mesh-endpoint", "nowhere")
	_, err := stub.Nothing(ctx, &pb.NothingRequest{})
	fails(err, codes.NotFound)
}

func large() {
	data := make([]byte, 8<<20)
	for at := range data {
		data[at] = byte(at % 251)
	}
	reply, err := stub.Large(inTime(), &pb.LargeRequest{Data: data})
	require(err == nil, err)
	require(bytes.Equal(reply.Result, data), "other bytes")
}

func compressed() {
	text := strings.Repeat("conformance ", 5000)
	request := &pb.LongTextRequest{Text: text}
	reply, err := stub.LongText(inTime(), request, grpc.UseCompressor(gzip.Name))
	require(err == nil, err)
	require(reply.Result == text, "another text")
}

func example() {
	target := os.Args[1]
	// >>> clients.md
	channel, err := grpc.Dial(target, grpc.WithInsecure())
	if err != nil {
		panic(err)
	}
	stub := pb.NewConformanceServiceClient(channel)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var data bytes.Buffer
	binary.Write(&data, binary.LittleEndian, []float32{1.5, -4}) // row by row
	value := &mesh.Tensor{
		DataType: mesh.DataType_DATA_TYPE_FLOAT32, Shape: []int64{1, 2}, Data: data.Bytes(),
	}
	reply, err := stub.Double(ctx, &pb.DoubleRequest{Value: value})
	if err != nil {
		panic(err)
	}
	doubled := make([]float32, 2)
	binary.Read(bytes.NewReader(reply.Result.Data), binary.LittleEndian, doubled)
	content := &mesh.File_Data{Data: []byte("...")}
	picture := &mesh.File{MediaType: "image/png", Filename: "a.png", Content: content}
	_, err = stub.File(ctx, &pb.FileRequest{Value: picture}) // codes.InvalidArgument
	bad := status.Convert(err).Details()[0].(*errdetails.BadRequest)
	// <<< clients.md
	same(doubled, []float32{3, -8})
	same(bad.FieldViolations[0].Field, "value")
}

var cases = []struct {
	name  string
	check func()
}{
	{"scalars", scalars},
	{"zeros", zeros},
	{"lists", lists},
	{"empty_lists", emptyLists},
	{"maps", maps},
	{"absent", absent},
	{"given", given},
	{"either_whole", eitherWhole},
	{"either_text", eitherText},
	{"form", form},
	{"forms", forms},
	{"colour", colour},
	{"colour_missing", colourMissing},
	{"colour_unknown", colourUnknown},
	{"times", times},
	{"texts", texts},
	{"texts_refused", textsRefused},
	{"records", records},
	{"tree", tree},
	{"anything", anything},
	{"anything_null", anythingNull},
	{"nothing", nothing},
	{"tensor_float32", tensorFloat32},
	{"tensor_float16", tensorFloat16},
	{"tensor_float64", tensorFloat64},
	{"tensor_int64", tensorInt64},
	{"tensor_uint8", tensorUint8},
	{"tensor_bool", tensorBool},
	{"tensor_str", tensorStr},
	{"tensor_empty", tensorEmpty},
	{"tensor_doubled", tensorDoubled},
	{"tensor_of_wrong_shape", tensorOfWrongShape},
	{"tensor_too_short", tensorTooShort},
	{"frame", frame},
	{"series", series},
	{"file", file},
	{"file_of_wrong_type", fileOfWrongType},
	{"image", image},
	{"server_stream", serverStream},
	{"server_stream_that_fails", serverStreamThatFails},
	{"client_stream", clientStream},
	{"client_stream_of_none", clientStreamOfNone},
	{"bidi_stream", bidiStream},
	{"error_with_fields", errorWithFields},
	{"error_of_the_method", errorOfTheMethod},
	{"error_that_is_hidden", errorThatIsHidden},
	{"error_with_wait", errorWithWait},
	{"deadline", deadline},
	{"cancellation", cancellation},
	{"metadata", metadataBothWays},
	{"binary_metadata", binaryMetadata},
	{"trailers", trailers},
	{"endpoint", endpoint},
	{"large", large},
	{"gzip", compressed},
	{"example", example},
}

func run(name string, check func()) {
	defer func() {
		if why := recover(); why != nil {
			text := strings.Join(strings.Fields(fmt.Sprint(why)), " ")
			fmt.Printf("not ok %s: %s\n", name, text)
		}
	}()
	check()
	fmt.Printf("ok %s\n", name)
}

func main() {
	channel, err := grpc.Dial(os.Args[1], grpc.WithInsecure(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	require(err == nil, err)
	stub = pb.NewConformanceServiceClient(channel)
	for _, each := range cases {
		run(each.name, each.check)
	}
}
