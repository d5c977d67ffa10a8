"""Which endpoint a request is for, and which method of a version its path names."""

from mesh.errors import NotFound
from mesh.traffic.snapshot import Method, Service, Snapshot, Version

_PREFIX = "/e/"


def endpoint_of(snapshot: Snapshot, *, authority: str, header: str, path: str) -> tuple[str, str]:
    """The name of the endpoint that a request is for, and the path that is left of its path.

    That which `named_endpoint` finds, else the snapshot's default endpoint.

    Raises NotFound if the header or the prefix names an endpoint that does not exist, and if
    nothing names one and there is no default.
    """
    named, path = named_endpoint(snapshot, authority=authority, header=header, path=path)
    if named:
        return named, path
    default = snapshot.default_endpoint
    if default not in snapshot.endpoints:
        raise NotFound("the request names no endpoint and there is no default endpoint")
    return default, path


def named_endpoint(
    snapshot: Snapshot, *, authority: str, header: str, path: str
) -> tuple[str, str]:
    """The endpoint that a request names (empty: none), and the path that is left of its path.

    The first of these that is there decides: `header` (the value of `x-mesh-endpoint`, empty if
    absent), the prefix `/e/<endpoint>/` of `path`, the first label of `authority`
    (`<endpoint>.<domain>`, with or without a port) if an endpoint has that name. The prefix is cut
    off even where the header decides; the path that is left begins with a slash.

    Raises NotFound if the header or the prefix names an endpoint that does not exist.
    """
    named = header
    if path.startswith(_PREFIX):
        prefix, slash, rest = path[len(_PREFIX) :].partition("/")
        named = header or prefix
        path = slash + rest or "/"
        if not named:
            raise NotFound("Not Found")
    if named:
        if named not in snapshot.endpoints:
            raise NotFound(f"there is no endpoint {named!r}")
        return named, path
    # Most hosts have no dot or are an address, so the look-up comes only then.
    if "." in authority and (label := _first_label(authority)) in snapshot.endpoints:
        return label, path
    return "", path


def method_of(version: Version, path: str) -> tuple[Service, Method]:
    """The version's entry service and the method of it that `path` leads to.

    Raises NotFound if there is none.
    """
    service = version.services.get(version.entry)
    method = service.routes.get(path) if service is not None else None
    if service is None or method is None:
        raise NotFound("Not Found")
    return service, method


def _first_label(authority: str) -> str:
    """The first label of a host that has several and is no IPv4 address; else empty."""
    label, _, domain = authority.partition(".")
    host_ends = domain.partition(":")[0]
    if not host_ends or host_ends.rpartition(".")[2].isdecimal():
        return ""
    return label.lower()
