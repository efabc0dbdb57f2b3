"""The settings of a gateway: read from campus.yaml into its line, and refused in clear words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hub.ports import ConfigError
from hub.settings import build_site, load
from hub.site import Gateway, Line

CAMPUS = """version: 1
site: {{id: try, name: {{zh: 试, en: Try}}, timezone: Asia/Shanghai}}
gateways:
  - {{id: gw-1, {gateway}}}
"""


def gateway(folder: Path, text: str) -> Gateway:
    (folder / "campus.yaml").write_text(CAMPUS.format(gateway=text), "utf-8")
    site = build_site(load(folder), lambda ids: {id_: n for n, id_ in enumerate(ids)})
    return site.gateways["gw-1"]


def test_a_gateway_without_settings_has_the_careful_ones(tmp_path: Path) -> None:
    made = gateway(tmp_path, 'url: "tcp://10.0.7.10:502"')
    assert made.line == Line()
    assert (made.transport, made.line.in_flight, made.line.retries) == ("tcp", 1, 0)


def test_every_setting_of_a_gateway_reaches_its_line(tmp_path: Path) -> None:
    made = gateway(
        tmp_path,
        'url: "tcp://10.0.7.10:502", timeout: PT2S, in_flight: 4, pause_after_connect: PT1S, '
        "pause_between: PT0.05S, close_after_poll: true, transaction_ids: strict, retries: 2",
    )
    assert made.timeout == timedelta(seconds=2)
    assert made.line == Line(
        in_flight=4,
        pause_after_connect=timedelta(seconds=1),
        pause_between=timedelta(seconds=0.05),
        close_after_poll=True,
        retries=2,
    )


def test_a_serial_port_has_a_speed_and_a_parity(tmp_path: Path) -> None:
    text = 'url: "serial:///dev/ttyUSB0", baudrate: 2400, parity: even, stopbits: 1'
    made = gateway(tmp_path, text)
    assert made.transport == "serial"
    assert made.line == Line(baudrate=2400, parity="even")
    assert gateway(tmp_path, 'url: "rtu+tcp://10.0.7.10:4196"').transport == "rtu+tcp"


def test_over_tls_the_files_are_those_of_the_folder(tmp_path: Path) -> None:
    text = 'url: "tcp+tls://gw-07.example.edu", ca_file: ca.pem, cert_file: tls/c, key_file: tls/k'
    made = gateway(tmp_path, f"{text}, in_flight: 4")
    assert made.transport == "tcp+tls"
    files = (made.line.ca_file, made.line.cert_file, made.line.key_file)
    assert files == (tmp_path / "ca.pem", tmp_path / "tls/c", tmp_path / "tls/k")


@pytest.mark.parametrize(
    ("one", "other", "end"),
    [
        ("tcp://10.0.7.10:4196", "rtu+tcp://10.0.7.10:4196", "10.0.7.10:4196"),
        ("tcp://gw-07.example.edu:502", "tcp://GW-07.example.edu.:502", "gw-07.example.edu:502"),
        ("tcp://[2001:db8::1]:502", "rtu+tcp://[2001:0DB8::0:1]:502", "[2001:db8::1]:502"),
        ("tcp+tls://10.0.7.10", "tcp+tls://10.0.7.10:802", "10.0.7.10:802"),
        ("serial:///dev/ttyUSB0", "serial:///dev//ttyUSB0", "/dev/ttyUSB0"),
        ("serial:///dev/ttyUSB0", "serial:///dev/ttyUSB0", "/dev/ttyUSB0"),
    ],
)
def test_two_gateways_that_lead_to_one_box_or_port_are_both_named(
    tmp_path: Path, one: str, other: str, end: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        gateway(tmp_path, f'url: "{one}"}}\n  - {{id: gw-2, url: "{other}"')
    (problem,) = caught.value.problems
    said = f"{other} leads to {end}: gw-2 and gw-1 by campus.yaml:4 are one gateway; write it once"
    assert problem == f"campus.yaml:5: gateways[1].url: {said}"


def test_two_ports_of_one_box_are_two_gateways(tmp_path: Path) -> None:
    gateway(
        tmp_path, 'url: "rtu+tcp://10.0.7.10:4001"}\n  - {id: gw-2, url: "tcp://10.0.7.10:4002"'
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('url: "serial://"', "gateways[0].url: 'serial://' names no serial port"),
        ('url: "serial://host:4196/x"', "write it like serial:///dev/ttyUSB0"),
        ('url: "rtu+tcp://10.0.7.10"', "must be only scheme, host and port"),
        ('url: "udp://10.0.7.10:502"', "rtu+tcp://10.0.7.10:4196 or serial:///dev/ttyUSB0"),
        ('url: "tcp://10.0.7.10:502", parity: even', "parity is for serial:// only"),
        ('url: "rtu+tcp://10.0.7.10:1", baudrate: 2400', "baudrate is for serial:// only"),
        ('url: "serial:///dev/x", baudrate: 9601', "gateways[0].baudrate: must be 1200, 2400"),
        ('url: "serial:///dev/x", parity: E', "gateways[0].parity: must be 'none', 'even' or"),
        ('url: "serial:///dev/x", close_after_poll: true', "close_after_poll is for gateways"),
        (
            'url: "rtu+tcp://10.0.7.10:1", transaction_ids: lenient',
            "transaction_ids is for tcp:// only",
        ),
        ('url: "rtu+tcp://10.0.7.10:1", in_flight: 2', "in_flight above 1 needs tcp://"),
        (
            'url: "tcp://10.0.7.10:1", in_flight: 2, transaction_ids: lenient',
            "answers cannot be told apart; write in_flight: 1",
        ),
        ('url: "tcp://10.0.7.10:1", in_flight: 0', "gateways[0].in_flight: must be greater"),
        ('url: "tcp://10.0.7.10:1", retries: 6', "gateways[0].retries: must be less"),
        ('url: "tcp://10.0.7.10:1", pause_between: 50', "gateways[0].pause_between"),
        ('url: "tcp://10.0.7.10:1", pause_between: PT1M', "gateways[0].pause_between: must be le"),
        (
            'url: "tcp://10.0.7.10:502", ca_file: ca.pem',
            "ca_file is for TLS; write the url as tcp+",
        ),
        ('url: "tcp+tls://gw.example.edu", key_file: k', "cert_file and key_file belong together"),
        ('url: "tcp+tls://gw.example.edu/x"', "must be only scheme, host and port"),
        ('url: "tcp://10.0.7.10:1", retrys: 1', "unknown key; did you mean 'retries'?"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_to_do(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        gateway(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.startswith("campus.yaml:4: gateways[0]")
    assert said in problem
