// Two clients that others maintain, as functions for the tests to call in a page.
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
}

function serviceOf(files, name) {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, bytesOf(files))).getService(name);
}

// What a call of connect-web gives: the replies as JSON, or the code and the message.
window.connect = async (base, files, name, rpc, request) => {
  const service = serviceOf(files, name);
  const client = createClient(service, createGrpcWebTransport({ baseUrl: base }));
  const method = service.methods.find((each) => each.name === rpc);
  try {
    const call = client[method.localName](request);
    if (method.methodKind === "unary") return [Number((await call).result)];
    const found = [];
    for await (const each of call) found.push(Number(each.result));
    return found;
  } catch (error) {
    const known = ConnectError.from(error);
    return { code: Code[known.code], message: known.rawMessage };
  }
};

// The same by Google's client, whose streams are text.
window.google = (base, files, name, rpc, request) => {
  const service = serviceOf(files, name);
  const method = service.methods.find((each) => each.name === rpc);
  const isUnary = method.methodKind === "unary";
  const descriptor = new MethodDescriptor(
    `/${name}/${rpc}`,
    isUnary ? MethodType.UNARY : MethodType.SERVER_STREAMING,
    Object,
    Object,
    (fields) => toBinary(method.input, create(method.input, fields)),
    (bytes) => fromBinary(method.output, bytes),
  );
  const client = new GrpcWebClientBase({ format: isUnary ? "binary" : "text" });
  return new Promise((resolve) => {
    const failed = (error) => resolve({ code: error.code, message: error.message });
    if (isUnary) {
      client.rpcCall(`${base}/${name}/${rpc}`, request, {}, descriptor, (error, reply) =>
        error ? failed(error) : resolve([Number(reply.result)]),
      );
      return;
    }
    const found = [];
    const stream = client.serverStreaming(`${base}/${name}/${rpc}`, request, {}, descriptor);
    stream.on("data", (reply) => found.push(Number(reply.result)));
    stream.on("error", failed);
    stream.on("end", () => resolve(found));
  });
};
