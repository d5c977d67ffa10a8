"""The public face of the mesh: HTTP and gRPC in, links out.

app, settings, envoy   the process: Envoy as the listener
main       every request, from its head to its status
forward    which endpoint, version and method; the call's head
http       HTTP requests and replies
grpc       gRPC requests and replies; grpc_frames and describe are parts of it
admin      health, schema and metrics
errors     errors as HTTP bodies and gRPC trailers
presence   noticing that a client went away
record     what is counted and traced of each request
"""
