"""Services as typed gRPC services: their messages, the .proto of these, and their codecs."""
