"""Servers outside the mesh over TLS."""

import asyncio
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.forward import Request
from gateway.grpc_upstream import GrpcUpstreams
from gateway.outside import UnreachableError
from gateway.upstream_http import HttpUpstreams
from mesh.call import NO_TRACE
from mesh.traffic.snapshot import Upstream
from tests.gateway.outside import GrpcServer
from tests.link.rig import run

REQUEST = Request("/x", "", {}, (), NO_TRACE, "r1")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate of 127.0.0.1, and its key, as files in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_https_is_spoken_with_a_server_that_is_trusted_and_no_other(
    certificate: tuple[Path, Path],
) -> None:
    async def answer(reader: Any, writer: Any) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        async with server:
            upstream = Upstream("up", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            trusting = HttpUpstreams(ssl.create_default_context(cafile=certificate[0]))
            found = await trusting.open(upstream, "GET", "/x", REQUEST, NO_TRACE, None)
            assert (found.status, [part async for part in found.parts()]) == (200, [b"hi"])
            await found.close()
            await trusting.close()
            wary = HttpUpstreams()
            with pytest.raises(UnreachableError, match="certificate"):
                await wary.open(upstream, "GET", "/x", REQUEST, NO_TRACE, None)
            await wary.close()

    run(main())


def test_grpcs_is_spoken_with_a_server_that_is_trusted_and_no_other(
    certificate: tuple[Path, Path],
) -> None:
    async def main() -> None:
        files = [file.read_bytes() for file in certificate]
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((GrpcServer(),))
        credentials = grpc.ssl_server_credentials([(files[1], files[0])])
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        upstream = Upstream("up", f"grpcs://127.0.0.1:{port}")
        trusting = GrpcUpstreams(1000, files[0])
        channel = await trusting.channel(upstream)
        assert await channel.unary_unary("/any.v1.Thing/Unary")(b"abc") == b"cba"
        await trusting.close()
        wary = GrpcUpstreams(1000)
        with pytest.raises(UnreachableError):
            await wary.channel(upstream)
        await wary.close()
        await server.stop(None)

    run(main())
