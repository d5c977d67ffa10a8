// Calls every method of the conformance service with a stub made from its .proto.
// usage: node client.js HOST:PORT FOLDER-OF-PROTOS

import assert from "node:assert/strict";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const [target, protos] = process.argv.slice(2);
const definition = loadSync(
  ["conformance/v1/conformance.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"],
  { includeDirs: [protos], longs: String, enums: String, defaults: true, oneofs: true },
);
const { conformance } = grpc.loadPackageDefinition(definition);
const connect = (options) =>
  new conformance.v1.ConformanceService(target, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": 16 << 20,
    ...options,
  });
const client = connect({});
const inTime = (seconds = 20) => ({ deadline: Date.now() + 1000 * seconds });

// A unary call as a promise.
function ask(method, request, { metadata = new grpc.Metadata(), seconds, by = client } = {}) {
  return new Promise((resolve, reject) => {
    by[method](request, metadata, inTime(seconds), (error, reply) =>
      error ? reject(error) : resolve(reply),
    );
  });
}

// A call with this metadata: its reply, and the metadata before the reply and behind it.
function around(asked) {
  return new Promise((resolve, reject) => {
    const seen = {};
    const call = client.metadata({}, asked, inTime(), (error, reply) => {
      if (error) reject(error);
      seen.reply = reply;
    });
    call.on("metadata", (initial) => (seen.initial = initial));
    call.on("status", ({ metadata }) => resolve({ ...seen, behind: metadata }));
  });
}

async function failure(promise) {
  const [outcome] = await Promise.allSettled([promise]);
  assert.equal(outcome.status, "rejected", "no error");
  return outcome.reason;
}

// The details of an error: google.rpc.BadRequest and RetryInfo.
function details(error) {
  const [encoded] = error.metadata.get("grpc-status-details-bin");
  return definition["google.rpc.Status"].deserialize(encoded).details.map((detail) =>
    definition[detail.type_url.split("/").at(-1)].deserialize(detail.value),
  );
}

// The fields that a failed call says are wrong.
function fields(error) {
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT, error.message);
  return details(error)[0].fieldViolations.map(({ field }) => field);
}

// A google.protobuf.Value of any JSON, and the other way round.
function toValue(json) {
  if (json === null) return { nullValue: "NULL_VALUE" };
  if (Array.isArray(json)) return { listValue: { values: json.map(toValue) } };
  if (typeof json === "number") return { numberValue: json };
  if (typeof json === "string") return { stringValue: json };
  if (typeof json === "boolean") return { boolValue: json };
  const entries = Object.entries(json).map(([name, each]) => [name, toValue(each)]);
  return { structValue: { fields: Object.fromEntries(entries) } };
}

function fromValue(value) {
  if (value.kind === "nullValue") return null;
  if (value.kind === "listValue") return value.listValue.values.map(fromValue);
  if (value.kind !== "structValue") return value[value.kind];
  const entries = Object.entries(value.structValue.fields);
  return Object.fromEntries(entries.map(([name, each]) => [name, fromValue(each)]));
}

// A mesh.v1.Tensor of a typed array, which is little-endian on every machine that Node runs on.
const tensor = (dataType, shape, { buffer }) => ({
  dataType: `DATA_TYPE_${dataType}`,
  shape: shape.map(String),
  data: Buffer.from(buffer),
  strings: [],
});

const texts = (shape, strings) => ({
  dataType: "DATA_TYPE_STRING",
  shape: shape.map(String),
  data: Buffer.alloc(0),
  strings,
});

async function echoes(name, value) {
  assert.deepEqual((await ask("tensor", { name, value })).result, value);
}

async function comesBack(method, value) {
  assert.deepEqual((await ask(method, { value })).result, value);
}

const cases = {
  async scalars() {
    await comesBack("scalars", {
      text: "Grüße, 世界 🚀",
      whole: "-9223372036854775808",
      real: -0.1,
      truth: true,
      binary: Buffer.from([0x00, 0xff, 0x80]),
    });
  },

  async zeros() {
    const { result } = await ask("scalars", { value: {} });
    const zeros = { text: "", whole: "0", real: 0, truth: false, binary: Buffer.alloc(0) };
    assert.deepEqual(result, zeros);
  },

  async lists() {
    const value = {
      names: ["a", "", "c"],
      numbers: ["3", "-1", String(2n ** 62n)],
      unique: ["1", "2"],
      many: [0.5, 1.5, 2.5],
      pair: { item1: "7", item2: "seven" },
      rows: [{ items: [1, 2] }, { items: [] }, { items: [3] }],
      points: [{ x: "1", y: 2.5 }, { x: "0", y: 0 }],
    };
    const result = (await ask("lists", { value: { ...value, unique: [2, 1, 2] } })).result;
    result.unique.sort();
    assert.deepEqual(result, value);
  },

  async empty_lists() {
    const empty = { names: [], numbers: [], unique: [], many: [], rows: [], points: [] };
    await comesBack("lists", { ...empty, pair: { item1: "0", item2: "" } });
  },

  async maps() {
    const value = {
      counts: { one: "1", "": "0" },
      names: { "-1": "minus", 0: "zero" },
      rows: { odd: { items: ["1", "3"] }, none: { items: [] } },
      points: { here: { x: "1", y: 2.5 } },
    };
    const { result } = await ask("maps", { value });
    // The loader reads keys of 64 bits as their eight bytes.
    const names = Object.entries(result.names).map(([key, name]) => [
      Buffer.from(key, "latin1").readBigInt64LE(),
      name,
    ]);
    assert.deepEqual({ ...result, names: Object.fromEntries(names) }, value);
  },

  async absent() {
    const { result } = await ask("optionals", { value: {} });
    assert.deepEqual([result._maybe, result.point], [undefined, null]);
    assert.deepEqual([result.number, result.text], ["5", "fallback"]);
  },

  async given() {
    const value = { maybe: "0", number: "0", text: "", point: { x: "0", y: 0 } };
    const { result } = await ask("optionals", { value });
    assert.deepEqual(result, { ...value, _maybe: "maybe", _number: "number", _text: "text" });
  },

  async either_whole() {
    const reply = await ask("either", { valueInt: 7 });
    assert.deepEqual(reply, { result: "resultInt", resultInt: "7" });
  },

  async either_text() {
    const reply = await ask("either", { valueStr: "seven" });
    assert.deepEqual(reply, { result: "resultStr", resultStr: "seven" });
  },

  async form() {
    const [circle, rectangle] = [{ radius: 1.5 }, { width: 2, height: 3 }];
    const other = await ask("form", { valueCircle: circle });
    assert.deepEqual(other, { result: "resultRectangle", resultRectangle: rectangle });
    const first = await ask("form", { valueRectangle: rectangle });
    assert.deepEqual(first, { result: "resultCircle", resultCircle: circle });
  },

  async forms() {
    const values = [{ valueCircle: { radius: 1.5 } }, { valueRectangle: { width: 2, height: 3 } }];
    const [first, second] = (await ask("forms", { values })).result;
    assert.deepEqual(first, { value: "valueRectangle", ...values[1] });
    assert.deepEqual(second, { value: "valueCircle", ...values[0] });
  },

  async colour() {
    await comesBack("colour", "COLOUR_DARK_BLUE");
  },

  async colour_missing() {
    assert.deepEqual(fields(await failure(ask("colour", {}))), ["value"]);
  },

  async colour_unknown() {
    assert.deepEqual(fields(await failure(ask("colour", { value: 99 }))), ["value"]);
  },

  async times() {
    await comesBack("times", {
      at: { seconds: String(Date.UTC(2024, 1, 29, 12, 30) / 1000), nanos: 123456000 },
      took: { seconds: "-1", nanos: -500000000 },
    });
  },

  async texts() {
    const identity = "12345678-1234-5678-1234-567812345678";
    await comesBack("texts", { identity, amount: "123.4500", speed: "fast" });
  },

  async texts_refused() {
    const value = { identity: "none", amount: "1,5", speed: "faster" };
    const expected = ["value.identity", "value.amount", "value.speed"];
    assert.deepEqual(fields(await failure(ask("texts", { value }))), expected);
  },

  async records() {
    const value = {
      point: { x: "1", y: 2.5 },
      span: { start: "3" },
      options: { depth: "2", name: "deep" },
      spans: [{ start: "1", end: "2", _end: "end" }],
    };
    const { result } = await ask("records", { value });
    assert.deepEqual(result, { ...value, span: { start: "3", end: "10", _end: "end" } });
  },

  async tree() {
    const leaf = (value) => ({ value, children: [] });
    await comesBack("tree", {
      value: "1",
      children: [{ value: "2", children: [leaf("3")] }, leaf("4")],
    });
  },

  async anything() {
    const json = {
      list: [1, 2.5, "three", true, null],
      inner: { empty: {}, none: [] },
      text: "x",
    };
    const { result } = await ask("anything", { value: toValue(json) });
    assert.deepEqual(fromValue(result), json);
  },

  async anything_null() {
    assert.equal((await ask("anything", { value: toValue(null) })).result.kind, "nullValue");
  },

  async nothing() {
    assert.deepEqual(await ask("nothing", {}), {});
  },

  async tensor_float32() {
    const elements = Float32Array.of(1.5, -2, 3, 0, 0.25, -0);
    await echoes("float32", tensor("FLOAT32", [2, 3], elements));
  },

  async tensor_float16() {
    // Node 20 has no Float16Array: these are the bits of 1, -2 and 65504.
    await echoes("float16", tensor("FLOAT16", [3], Uint16Array.of(0x3c00, 0xc000, 0x7bff)));
  },

  async tensor_float64() {
    await echoes("float64", tensor("FLOAT64", [], Float64Array.of(0.1)));
  },

  async tensor_int64() {
    const ends = BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n);
    await echoes("int64", tensor("INT64", [2, 1], ends));
  },

  async tensor_uint8() {
    await echoes("uint8", tensor("UINT8", [2, 2, 2], Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7)));
  },

  async tensor_bool() {
    await echoes("bool", tensor("BOOL", [3], Uint8Array.of(1, 0, 1)));
  },

  async tensor_str() {
    await echoes("str", texts([2, 2], ["a", "ß", "", "long text"]));
  },

  async tensor_empty() {
    await echoes("empty", tensor("INT32", [0, 3], Int32Array.of()));
  },

  async tensor_doubled() {
    const value = tensor("FLOAT32", [1, 2], Float32Array.of(1.5, -4));
    const { data } = (await ask("double", { value })).result;
    assert.deepEqual([data.readFloatLE(0), data.readFloatLE(4)], [3, -8]);
  },

  async tensor_of_wrong_shape() {
    const value = tensor("FLOAT32", [1, 3], Float32Array.of(1, 2, 3));
    assert.deepEqual(fields(await failure(ask("double", { value }))), ["value"]);
  },

  async tensor_too_short() {
    const value = tensor("FLOAT32", [2, 2], Float32Array.of(1, 2, 3));
    assert.deepEqual(fields(await failure(ask("double", { value }))), ["value"]);
  },

  async frame() {
    const all = Buffer.alloc(0);
    const some = Buffer.from([1, 0, 1]); // the second is missing
    const column = (name, values, validity = all) => ({ name, values, validity, arrowStream: all });
    const columns = [
      column("id", tensor("INT64", [3], BigInt64Array.of(1n, 2n, 3n))),
      column("score", tensor("FLOAT64", [3], Float64Array.of(0.5, NaN, 2.5))),
      column("count", tensor("INT64", [3], BigInt64Array.of(10n, 0n, 30n)), some),
      column("name", texts([3], ["a", "", "ß"]), some),
      column("seen", tensor("BOOL", [3], Uint8Array.of(1, 0, 1))),
    ];
    const { result } = await ask("frame", { value: { columns } });
    assert.deepEqual(result.columns, columns);
  },

  async series() {
    const validity = Buffer.from([1, 0, 1]);
    const values = tensor("FLOAT64", [3], Float64Array.of(1.5, 0, 3.5));
    const { result } = await ask("series", { value: { name: "score", values, validity } });
    const seen = [0, 16].map((at) => result.values.data.readDoubleLE(at));
    assert.deepEqual([result.name, result.validity, ...seen], ["score", validity, 1.5, 3.5]);
  },

  async file() {
    const value = { mediaType: "text/csv", filename: "numbers.csv", data: Buffer.from("a,b\n1,2\n") };
    const { mediaType, filename, data } = (await ask("file", { value })).result;
    assert.deepEqual([mediaType, filename], ["text/plain", "numbers.txt"]);
    assert.equal(data.toString(), "A,B\n1,2\n");
  },

  async file_of_wrong_type() {
    const value = { mediaType: "image/png", data: Buffer.from("a,b\n1,2\n") };
    assert.deepEqual(fields(await failure(ask("file", { value }))), ["value"]);
  },

  async image() {
    const png = Buffer.from(
      "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd0000000f" +
        "49444154789c63f8cfc0c0c0f01f00070001ff7e08b1d00000000049454e44ae426082",
      "hex",
    );
    const flipped = async (image) => (await ask("flipped", { image })).result;
    const once = await flipped({ mediaType: "image/png", data: png });
    assert.deepEqual([once.mediaType, once.data.subarray(0, 8)], ["image/png", png.subarray(0, 8)]);
    const twice = await flipped(once);
    assert.notDeepEqual(twice.data, once.data);
    assert.deepEqual((await flipped(twice)).data, once.data);
  },

  async server_stream() {
    const seen = [];
    for await (const { result } of client.count({ upto: 3 }, inTime())) seen.push(result);
    assert.deepEqual(seen, ["1", "2", "3"]);
  },

  async server_stream_that_fails() {
    const seen = [];
    const read = async () => {
      for await (const { result } of client.count({ upto: 5 }, inTime())) seen.push(result);
    };
    const error = await failure(read());
    assert.deepEqual(seen, ["1", "2", "3"]);
    assert.deepEqual([error.code, error.details], [grpc.status.NOT_FOUND, "there is no 4"]);
  },

  async client_stream() {
    const reply = new Promise((resolve, reject) => {
      const call = client.total(inTime(), (error, given) => (error ? reject(error) : resolve(given)));
      call.write({ start: 1000 });
      for (const numbers of [1, 2, 3]) call.write({ numbers });
      call.end();
    });
    assert.equal((await reply).result, "1006");
  },

  async client_stream_of_none() {
    const reply = new Promise((resolve, reject) => {
      client.total(inTime(), (error, given) => (error ? reject(error) : resolve(given))).end();
    });
    assert.equal((await reply).result, "100");
  },

  async bidi_stream() {
    const call = client.shout(inTime());
    const replies = call[Symbol.asyncIterator]();
    call.write({ mark: "!", words: "one" });
    assert.equal((await replies.next()).value.result, "ONE!"); // before the next word is said
    call.write({ words: "two" });
    assert.equal((await replies.next()).value.result, "TWO!");
    call.end();
    assert.equal((await replies.next()).done, true);
  },

  async error_with_fields() {
    const error = await failure(ask("bounded", { value: { count: 0, name: "too long" } }));
    assert.deepEqual(fields(error), ["value.count", "value.name"]);
    assert.equal(details(error)[0].fieldViolations[0].reason, "GREATER_THAN_EQUAL");
  },

  async error_of_the_method() {
    const error = await failure(ask("fail", { how: "not found" }));
    assert.equal(error.code, grpc.status.NOT_FOUND);
    assert.equal(error.details, "there is no such thing: ñ");
  },

  async error_that_is_hidden() {
    const error = await failure(ask("fail", { how: "secretly" }));
    assert.equal(error.code, grpc.status.INTERNAL);
    assert.ok(!error.details.includes("secret"));
  },

  async error_with_wait() {
    const error = await failure(ask("fail", { how: "overloaded" }));
    assert.equal(error.code, grpc.status.RESOURCE_EXHAUSTED);
    assert.deepEqual(details(error)[0].retryDelay, { seconds: "1", nanos: 500000000 });
  },

  async deadline() {
    const key = `node-deadline-${process.pid}`;
    const error = await failure(ask("slow", { key }, { seconds: 3 }));
    assert.equal(error.code, grpc.status.DEADLINE_EXCEEDED);
    assert.equal((await ask("wasReleased", { key })).result, true);
  },

  async cancellation() {
    const key = `node-cancellation-${process.pid}`;
    const call = client.hold({ key }, inTime());
    const replies = call[Symbol.asyncIterator]();
    assert.equal((await replies.next()).value.result, "begun");
    call.cancel();
    assert.equal((await failure(replies.next())).code, grpc.status.CANCELLED);
    assert.equal((await ask("wasReleased", { key })).result, true);
  },

  async metadata() {
    const asked = new grpc.Metadata();
    asked.add("x-asked", "one");
    asked.add("x-asked", "two");
    const { reply, initial } = await around(asked);
    assert.equal(reply.result, "one+two");
    assert.deepEqual(initial.get("x-answered"), ["one+two"]);
  },

  async binary_metadata() {
    const asked = new grpc.Metadata();
    asked.set("x-asked-bin", Buffer.from([0x00, 0xff, 0x80]));
    const { initial } = await around(asked);
    assert.deepEqual(initial.get("x-answered-bin"), [Buffer.from([0x80, 0xff, 0x00])]);
  },

  async trailers() {
    const asked = new grpc.Metadata();
    asked.set("x-asked", "one");
    asked.set("x-asked-bin", Buffer.from([0x00, 0xff, 0x80]));
    const { behind } = await around(asked);
    assert.deepEqual(behind.get("x-behind"), ["one"]);
    assert.deepEqual(behind.get("x-behind-bin"), [Buffer.from([0x80, 0xff, 0x00])]);
  },

  async endpoint() {
    const metadata = new grpc.Metadata();
    metadata.set("x-mesh-endpoint", "nowhere");
    const error = await failure(ask("nothing", {}, { metadata }));
    assert.equal(error.code, grpc.status.NOT_FOUND);
  },

  async large() {
    const data = Buffer.alloc(8 << 20, Uint8Array.from({ length: 251 }, (_, n) => n));
    assert.ok((await ask("large", { data })).result.equals(data));
  },

  async gzip() {
    const gzip = grpc.compressionAlgorithms.gzip;
    const by = connect({ "grpc.default_compression_algorithm": gzip });
    const text = "conformance ".repeat(5000);
    assert.ok((await ask("longText", { text }, { by })).result === text);
  },

  async example() {
    // >>> clients.md
    const loaded = loadSync(
      ["conformance/v1/conformance.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"],
      { includeDirs: [protos], longs: String, enums: String, defaults: true, oneofs: true },
    );
    const { ConformanceService } = grpc.loadPackageDefinition(loaded).conformance.v1;
    const stub = new ConformanceService(target, grpc.credentials.createInsecure());
    const data = Buffer.from(Float32Array.of(1.5, -4).buffer); // little-endian, row by row
    const value = { dataType: "DATA_TYPE_FLOAT32", shape: [1, 2], data };
    const deadline = Date.now() + 5000;
    const reply = await promisify(stub.double.bind(stub))({ value }, { deadline });
    const doubled = [reply.result.data.readFloatLE(0), reply.result.data.readFloatLE(4)];
    const picture = { mediaType: "image/png", filename: "a.png", data: Buffer.from("...") };
    const error = await promisify(stub.file.bind(stub))({ value: picture }, { deadline }).catch((e) => e);
    const [encoded] = error.metadata.get("grpc-status-details-bin"); // error.code is 3
    const [detail] = loaded["google.rpc.Status"].deserialize(encoded).details;
    const bad = loaded["google.rpc.BadRequest"].deserialize(detail.value);
    // <<< clients.md
    assert.deepEqual([doubled, bad.fieldViolations[0].field], [[3, -8], "value"]);
  },
};

for (const [name, check] of Object.entries(cases)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}: ${String(error).split(/\s+/).join(" ")}`);
  }
}
process.exit();
