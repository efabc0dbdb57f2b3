"""Modbus over TLS against pymodbus's server, with certificates made here."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from pymodbus.server import ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from drivers import registry
from drivers.tls import trusting
from hub.clock import RealClock
from hub.ports import ConfigError, NoAnswerError, NotConnectedError
from hub.site import Gateway, Line
from tests.drivers.certificates import Authority

PATIENCE_S = 10.0
Serve = Callable[..., Awaitable[str]]


@pytest.fixture(scope="module")
def authority(binary, tmp_path_factory) -> Authority:
    made = Authority(binary("openssl"), tmp_path_factory.mktemp("certificates"))
    made.make("ca")
    made.make("gateway", "IP:127.0.0.1")
    made.make("elsewhere", "DNS:gateway.example.edu")
    made.make("hub", "DNS:hub")
    return made


@pytest.fixture
async def serve(authority) -> AsyncIterator[Serve]:
    """Return what starts a gateway whose registers hold 1000 and their address."""
    servers = []

    async def start(certificate: str = "gateway", *, wants_ours: bool = False) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = authority.folder / certificate
        context.load_cert_chain(file.with_suffix(".pem"), file.with_suffix(".key"))
        if wants_ours:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority.folder / "ca.pem")
        registers = SimData(0, values=[1000 + n for n in range(16)], datatype=DataType.REGISTERS)
        server = ModbusTlsServer(SimDevice(1, registers), address=("127.0.0.1", 0), sslctx=context)
        await server.serve_forever(background=True)
        servers.append(server)
        return f"tcp+tls://127.0.0.1:{server.transport.sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        await server.shutdown()


def line(authority: Authority, name: str = "") -> Line:
    """Return the settings of who trusts this CA, with a certificate of its own if named."""
    file = authority.folder / name
    mine = (file.with_suffix(".pem"), file.with_suffix(".key")) if name else (None, None)
    return Line(ca_file=authority.folder / "ca.pem", cert_file=mine[0], key_file=mine[1])


async def read(url: str, settings: Line) -> list[int]:
    gateway = Gateway("gw", url, timedelta(seconds=PATIENCE_S), settings)
    bus = registry.open_bus(gateway, RealClock())
    try:
        return list(await bus.read(1, "holding", 4, 3))
    finally:
        await bus.close()


async def test_registers_are_read_over_tls_from_a_gateway_whose_ca_is_known(
    serve, authority
) -> None:
    assert await read(await serve(), line(authority)) == [1004, 1005, 1006]


async def test_many_questions_share_a_connection_as_over_tcp(serve, authority) -> None:
    gateway = Gateway("gw", await serve(), timedelta(seconds=PATIENCE_S), line(authority))
    bus = registry.open_bus(gateway, RealClock())
    await bus.write(1, "holding", 3, [77])
    assert list(await bus.read(1, "holding", 3, 1)) == [77]
    assert [list(await bus.read(1, "holding", n, 1)) for n in (4, 5)] == [[1004], [1005]]
    await bus.close()


async def test_an_unknown_certificate_is_refused_and_nothing_is_asked(serve) -> None:
    with pytest.raises(NotConnectedError, match="certificate verify failed"):
        await read(await serve(), Line())


async def test_a_certificate_for_another_host_is_refused(serve, authority) -> None:
    with pytest.raises(NotConnectedError, match=r"not valid for '127\.0\.0\.1'"):
        await read(await serve("elsewhere"), line(authority))


def test_certificate_and_host_name_are_always_checked_and_old_tls_is_none(authority) -> None:
    context = trusting("gw", authority.folder / "ca.pem", None, None)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_gateway_that_asks_for_our_certificate_gets_it(serve, authority) -> None:
    url = await serve(wants_ours=True)
    assert await read(url, line(authority, "hub")) == [1004, 1005, 1006]
    with pytest.raises(NoAnswerError):
        await read(url, line(authority))


async def test_plain_tcp_and_tls_do_not_understand_each_other(serve, authority) -> None:
    url = await serve()
    with pytest.raises(NoAnswerError):
        await read(url.replace("tcp+tls", "tcp"), Line())


def test_files_that_are_no_certificates_are_named(authority) -> None:
    nowhere = Gateway(
        "gw", "tcp+tls://127.0.0.1", timedelta(seconds=1), Line(ca_file=authority.folder / "no")
    )
    with pytest.raises(ConfigError, match=r"tcp\+tls://127\.0\.0\.1 ca_file .*no: is no cert"):
        registry.open_bus(nowhere, RealClock())
