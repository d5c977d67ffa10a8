"""The generic service `mesh.v1.Inference`: methods are called by the name in the first message."""

from gateway.forward import PickMethod
from gateway.grpc import Form
from gateway.grpc_frames import peek_method
from mesh.call import CALL, CallKind
from mesh.errors import Unimplemented
from mesh.traffic.snapshot import Method, Service, Version

_SERVICE = "/mesh.v1.Inference/"
DESCRIBE = _SERVICE + "Describe"
_RPCS = {
    CallKind.UNARY: "Call",
    CallKind.SERVER_STREAM: "CallServerStream",
    CallKind.CLIENT_STREAM: "CallClientStream",
    CallKind.BIDI_STREAM: "CallBidiStream",
}


def _form(kind: CallKind) -> Form:
    def picker(first: bytes) -> PickMethod:
        name = peek_method(first)

        def pick(version: Version) -> tuple[Service, Method]:
            service = version.services[version.entry]
            method = service.methods.get(name)
            if method is None:
                raise Unimplemented(f"{service.name} has no method {name!r}")
            if method.kind is not kind:
                raise Unimplemented(f"{service.name}.{name} is called by {_RPCS[method.kind]}")
            return service, method

        return pick

    return Form(CALL, kind, picker)


FORMS = {_SERVICE + rpc: _form(kind) for kind, rpc in _RPCS.items()}
"""Its rpcs by path."""
