"""What people write in campus.yaml, places.csv and devices.csv; unknown keys are errors."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    ByteSize,
    Field,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from drivers.product import written_keys
from hub.energy.hot_water import Delivery, Opening
from hub.model import Text
from hub.settings.address import gateway_url, mqtt_url, opened_url, tables_url, web_url
from hub.settings.notify import NotifySpec
from hub.settings.storage import HoldSpec, KeepSpec
from hub.settings.written import Duration, Spec
from hub.site import PlaceKind

_LEVEL = r"[a-z0-9]+(-[a-z0-9]+)*"
Id = Annotated[str, StringConstraints(pattern=rf"^{_LEVEL}$", max_length=60)]
PlaceId = Annotated[str, StringConstraints(pattern=rf"^{_LEVEL}(/{_LEVEL})*$", max_length=120)]
Reference = Annotated[str, StringConstraints(min_length=1)]
UNIT_ID_MIN, UNIT_ID_MAX = 1, 247
TLS_PORT = 802  # of Modbus over TLS, where the URL names none


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}; write one like Asia/Shanghai or Europe/Berlin"
        ) from None
    return name


def _device_id(id_: str) -> str:
    if not re.fullmatch(rf"{_LEVEL}/{_LEVEL}", id_):
        raise ValueError(
            f"{id_!r} is no device id: two levels of lower-case letters, digits and single -, "
            "like dorm-07/meter-312"
        )
    return id_


def _whole_tls(spec: MqttSpec | GatewaySpec, *, over_tls: bool, url: str) -> None:
    """Raise ValueError where the files for TLS do not fit the URL or each other."""
    for key in ("ca_file", "cert_file", "key_file"):
        if getattr(spec, key) and not over_tls:
            raise ValueError(f"{key} is for TLS; write the url as {url}")
    if bool(spec.cert_file) != bool(spec.key_file):
        raise ValueError("cert_file and key_file belong together; write both or neither")


class Words(Spec):
    """A text for people in both languages."""

    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)

    def text(self) -> Text:
        """Return the value that travels inside the hub."""
        return Text(self.zh, self.en)


class SiteSpec(Spec):
    """The campus as a whole."""

    id: Id
    name: Words
    timezone: Annotated[str, AfterValidator(_zone)]
    locale: Literal["zh-CN", "en"] = "zh-CN"


class DuckdbStoreSpec(Spec):
    """Readings in one DuckDB file in the data folder."""

    kind: Literal["duckdb"]
    keep: KeepSpec = KeepSpec()


class MemoryStoreSpec(Spec):
    """Readings in memory: gone at the stop; for tests and scenarios."""

    kind: Literal["memory"]


class InfluxStoreSpec(Spec):
    """Readings in an InfluxDB server; roll-ups in a bucket of their own, where that is given.

    The bucket of the roll-ups must keep what it has for ever.
    """

    kind: Literal["influx"]
    url: Annotated[str, AfterValidator(web_url)]
    bucket: str = Field(min_length=1)
    org: str = "-"
    token_file: str | None = None
    rollup_bucket: str = ""


StoreSpec = Annotated[
    DuckdbStoreSpec | MemoryStoreSpec | InfluxStoreSpec, Field(discriminator="kind")
]


class JournalSpec(Spec):
    """How long the journal keeps what every consumer has passed, and how large it may grow."""

    keep: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(days=7)
    limit: Annotated[ByteSize, Field(ge=50_000_000)] = ByteSize(8_000_000_000)


class WebSpec(Spec):
    """Where the pages and the API are served; 127.0.0.1 keeps them on this machine.

    ``https``: people reach them through a proxy with TLS; the session cookie then insists on it.
    ``url`` is what people open, as it stands in messages and on labels, like
    https://hub.example.edu; without it links lead to host and port.
    """

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8080, ge=0, le=65535)
    https: bool = False
    url: Annotated[str, AfterValidator(opened_url)] | None = None

    @property
    def public_url(self) -> str:
        """Return what links in messages and on labels begin with; no / at its end."""
        return self.url or f"http://{self.host}:{self.port}"


class MqttSpec(Spec):
    """The broker: one of the campus, or an embedded one on loopback for demonstrations."""

    url: Annotated[str, AfterValidator(mqtt_url)] | None = None
    embedded: bool = False
    port: int = Field(1883, ge=1, le=65535)  # of the embedded broker
    username: str | None = None
    password_file: str | None = None
    ca_file: str | None = None  # who signed the broker's certificate; else the machine's own list
    cert_file: str | None = None  # our certificate, where the broker wants one
    key_file: str | None = None

    @model_validator(mode="after")
    def _one_broker(self, info: ValidationInfo) -> MqttSpec:
        if (self.url is None) != self.embedded:
            raise ValueError("write one of url: mqtt://host:1883 and embedded: true")
        if self.embedded and (self.username or self.password_file):
            raise ValueError("the embedded broker has no users; remove username and password_file")
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username")
        if self.url and "port" in written_keys(self, info):
            raise ValueError("port is for the embedded broker; write it into the url")
        return self

    @model_validator(mode="after")
    def _secured(self) -> MqttSpec:
        _whole_tls(self, over_tls=(self.url or "").startswith("mqtts:"), url="mqtts://host:8883")
        return self

    @property
    def address(self) -> str:
        """Return the URL to connect to."""
        return self.url or f"mqtt://127.0.0.1:{self.port}"


class PlaceSpec(Spec):
    """A building, floor or room; without a name it is called by the last level of its id."""

    id: PlaceId
    kind: PlaceKind
    name: Words | None = None
    students: int = Field(0, ge=0)
    area_m2: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _level(self) -> PlaceSpec:
        if (self.kind in ("campus", "building")) == ("/" in self.id):
            raise ValueError(
                f"{self.id!r} cannot be a {self.kind}: a building has one level (dorm-07), "
                "what is inside has its building first (dorm-07/3/312)"
            )
        return self


_Pause = Annotated[Duration, Field(ge=timedelta(0), le=timedelta(seconds=10))]
_SERIAL_KEYS = ("baudrate", "parity", "stopbits")
_NUMBERED = ("tcp", "tcp+tls")


class GatewaySpec(Spec):
    """The box, or the serial port, that leads to a bus of Modbus devices."""

    id: Id
    url: Annotated[str, AfterValidator(gateway_url)]
    timeout: Annotated[Duration, Field(ge=timedelta(milliseconds=50), le=timedelta(minutes=1))] = (
        timedelta(seconds=1)
    )
    in_flight: int = Field(1, ge=1, le=64)
    pause_after_connect: _Pause = timedelta(0)
    pause_between: _Pause = timedelta(0)
    close_after_poll: bool = False
    transaction_ids: Literal["strict", "lenient"] = "strict"
    retries: int = Field(0, ge=0, le=5)
    baudrate: Literal[1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    stopbits: Literal[1, 2] = 1
    ca_file: str | None = None  # who signed the gateway's certificate; else the machine's own list
    cert_file: str | None = None  # our certificate, where the gateway wants one
    key_file: str | None = None

    @model_validator(mode="after")
    def _secured(self) -> GatewaySpec:
        over_tls = self.url.startswith("tcp+tls:")
        _whole_tls(self, over_tls=over_tls, url=f"tcp+tls://host:{TLS_PORT}")
        return self

    @model_validator(mode="after")
    def _fits_its_url(self, info: ValidationInfo) -> GatewaySpec:
        keys, scheme = written_keys(self, info), self.url.partition(":")[0]
        for key in _SERIAL_KEYS:
            if key in keys and scheme != "serial":
                raise ValueError(f"{key} is for serial:// only; the gateway has its own, remove it")
        if "transaction_ids" in keys and scheme not in _NUMBERED:
            raise ValueError(f"transaction_ids is for tcp:// only; {scheme}:// has none, remove it")
        if self.in_flight > 1 and (scheme not in _NUMBERED or self.transaction_ids == "lenient"):
            raise ValueError(
                "in_flight above 1 needs tcp:// and transaction_ids: strict, or answers cannot be "
                "told apart; write in_flight: 1"
            )
        if self.close_after_poll and scheme == "serial":
            raise ValueError(
                "close_after_poll is for gateways; a serial port stays open, remove it"
            )
        return self


def _topic(topic: str) -> str:
    if not re.fullmatch(r"[^/+#$\s][^+#\x00-\x1f]*(?<![/\s])", topic):
        raise ValueError(
            f"{topic!r} is no topic of a device: no + and #, no / or blank at its ends, like plug-7"
        )
    return topic


def _meter_address(address: str) -> str:
    if not re.fullmatch(r"(?=.{12}$|.{14}$)(AA)*[0-9]*", address):
        raise ValueError(
            f"{address!r} is no meter address: all the digits of its plate, 12 (CJ/T 188: 14), "
            "with AA in front for every two that may be any"
        )
    return address


class DeviceSpec(Spec):
    """One physical thing. MQTT devices have neither gateway nor unit_id.

    ``address`` is for meters that speak DL/T 645 or CJ/T 188, in place of unit_id;
    ``password_file`` holds what their commands must show: the level and the six digits, 02123456.
    ``topic`` is for MQTT: what the device has as its topic, where that is not its id.
    """

    id: Annotated[str, AfterValidator(_device_id), Field(max_length=120)]
    profile: Reference
    place: Reference
    gateway: Reference | None = None
    unit_id: int | None = Field(None, ge=UNIT_ID_MIN, le=UNIT_ID_MAX)
    address: Annotated[str, AfterValidator(_meter_address)] | None = None
    password_file: str | None = Field(None, min_length=1)
    topic: Annotated[str, AfterValidator(_topic), Field(max_length=200)] | None = None
    interval: Annotated[Duration, Field(ge=timedelta(milliseconds=100), le=timedelta(days=1))] = (
        timedelta(seconds=60)
    )


_Degrees = Annotated[float, Field(ge=0, le=100)]
_ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class OpeningSpec(Spec):
    """From when to when hot water is promised, in civil time; over midnight where that is later."""

    start: _ClockTime = Field(alias="from")
    end: _ClockTime = Field(alias="to")


class HotWaterSpec(Spec):
    """What the site promises about its hot water; without ``open`` it is promised all day.

    ``supply`` leaves the plant, ``outlet`` comes from a running shower, ``cold`` is the mains'
    yearly mean, in degC; ``cop`` is what the plants are expected to reach, ``capacity`` what all
    of them together can make, in t/day.
    """

    open: tuple[OpeningSpec, ...] = ()
    supply: _Degrees = 50.0
    outlet: _Degrees = 37.0
    cold: _Degrees = 15.0
    cop: float = Field(3.3, gt=0, le=10)
    capacity: float | None = Field(None, gt=0)

    def delivery(self) -> Delivery:
        """Return the value that travels inside the hub."""
        hours = tuple(
            Opening(time.fromisoformat(one.start), time.fromisoformat(one.end)) for one in self.open
        )
        return Delivery(
            opening=hours,
            supply=self.supply,
            outlet=self.outlet,
            cold=self.cold,
            cop=self.cop,
            capacity=self.capacity,
        )


class CampusFile(Spec):
    """campus.yaml: one site."""

    version: Literal[1]
    site: SiteSpec
    data: str = Field("var", min_length=1)
    store: StoreSpec = DuckdbStoreSpec(kind="duckdb")
    database: Annotated[str, AfterValidator(tables_url)] = "sqlite"
    journal: JournalSpec = JournalSpec()
    web: WebSpec = WebSpec()
    mqtt: MqttSpec | None = None
    writes: bool = False
    hot_water: HotWaterSpec = HotWaterSpec()
    notify: NotifySpec | None = None
    holds: tuple[HoldSpec, ...] = ()
    places: tuple[PlaceSpec, ...] = ()
    gateways: tuple[GatewaySpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()


class PlacesFile(Spec):
    """places.csv: one place a row."""

    places: tuple[PlaceSpec, ...]


class DevicesFile(Spec):
    """devices.csv: one device a row."""

    devices: tuple[DeviceSpec, ...]


PLACE_COLUMNS = ("id", "kind", "name.zh", "name.en", "students", "area_m2")
DEVICE_COLUMNS = (
    "id", "profile", "place", "gateway", "unit_id", "interval", "topic", "address", "password_file",
)  # fmt: skip
