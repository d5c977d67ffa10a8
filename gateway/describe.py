"""The reply to mesh.v1.Inference/Describe, made of the routing table."""

import json
import zlib

from mesh.traffic.snapshot import Service
from mesh.v1 import inference_pb2


def describe(service: Service) -> bytes:
    """A serialized mesh.v1.DescribeReply for `service`."""
    reply = inference_pb2.DescribeReply(service=service.name, schema_json=service.schema_json)
    if service.descriptors:
        reply.descriptors = zlib.decompress(service.descriptors)
    routes = json.loads(service.schema_json or b"{}").get("routes", [])
    descriptions = {route["name"]: route.get("description", "") for route in routes}
    for method in service.methods.values():
        part = reply.methods.add(name=method.name, description=descriptions.get(method.name, ""))
        part.kind = method.kind.value  # type: ignore[assignment]  # both enums have one numbering
    return reply.SerializeToString()
