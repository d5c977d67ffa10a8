"""The public face of the mesh: HTTP and gRPC in, links out.

main      the ASGI application and what it is made of
forward   which endpoint, version and method; the call's head
http      HTTP requests and replies
grpc      gRPC requests and replies
admin     health, schema and metrics
errors    errors as HTTP bodies and gRPC trailers
presence  noticing that a client went away
server    Envoy as the listener
"""
