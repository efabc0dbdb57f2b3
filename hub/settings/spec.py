"""What people write in campus.yaml, places.csv and devices.csv; unknown keys are errors."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from hub.model import Text, written_duration
from hub.site import PlaceKind

_LEVEL = r"[a-z0-9]+(-[a-z0-9]+)*"
Id = Annotated[str, StringConstraints(pattern=rf"^{_LEVEL}$", max_length=60)]
PlaceId = Annotated[str, StringConstraints(pattern=rf"^{_LEVEL}(/{_LEVEL})*$", max_length=120)]
Reference = Annotated[str, StringConstraints(min_length=1)]
UNIT_ID_MIN, UNIT_ID_MAX = 1, 247


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


def _split(url: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{url!r} is no URL; write it like {example}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"the scheme {parts.scheme!r} is not known; write it like {example}")
    if parts.password is not None:
        raise ValueError("a password does not belong in this file; use password_file")
    if not parts.hostname or port == 0:
        raise ValueError(f"{url!r} names no host and port; write it like {example}")
    return parts


def _gateway_url(url: str) -> str:
    scheme = url.partition(":")[0]
    if scheme in ("rtu+tcp", "serial"):
        raise ValueError(f"{scheme}:// is planned but not built; use a gateway with tcp://host:502")
    parts = _split(url, ("tcp",), "tcp://10.0.7.10:502")
    if parts.port is None or parts.path or parts.query or parts.username:
        raise ValueError(f"{url!r} must be only scheme, host and port, like tcp://10.0.7.10:502")
    return url


def _mqtt_url(url: str) -> str:
    parts = _split(url, ("mqtt",), "mqtt://127.0.0.1:1883")
    if parts.path or parts.username or parts.query not in ("", "version=5", "version=3.1.1"):
        raise ValueError(
            "only scheme, host, port and ?version=3.1.1 stand here; the user goes to username"
        )
    return url


def _web_url(url: str) -> str:
    _split(url, ("http", "https"), "http://127.0.0.1:8086")
    return url


def _database(url: str) -> str:
    if url == "sqlite":
        return url
    parts = urlsplit(url)
    if parts.scheme != "postgresql+psycopg":
        raise ValueError("write sqlite, or a URL like postgresql+psycopg://hub@127.0.0.1/hub")
    if parts.password is not None:
        raise ValueError(
            "a password does not belong in this file; use PGPASSFILE or PGPASSWORD of PostgreSQL"
        )
    return url


Duration = Annotated[timedelta, BeforeValidator(written_duration)]


class Spec(BaseModel):
    """A frozen piece of configuration; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class MemoryStoreSpec(Spec):
    """Readings in memory: gone at the stop; for tests and scenarios."""

    kind: Literal["memory"]


class InfluxStoreSpec(Spec):
    """Readings in an InfluxDB server."""

    kind: Literal["influx"]
    url: Annotated[str, AfterValidator(_web_url)]
    bucket: str = Field(min_length=1)
    org: str = "-"
    token_file: str | None = None


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
    """

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8080, ge=0, le=65535)
    https: bool = False


class MqttSpec(Spec):
    """The broker: one of the campus, or an embedded one on loopback for demonstrations."""

    url: Annotated[str, AfterValidator(_mqtt_url)] | None = None
    embedded: bool = False
    port: int = Field(1883, ge=1, le=65535)  # of the embedded broker
    username: str | None = None
    password_file: str | None = None

    @model_validator(mode="after")
    def _one_broker(self) -> MqttSpec:
        if (self.url is None) != self.embedded:
            raise ValueError("write one of url: mqtt://host:1883 and embedded: true")
        if self.embedded and (self.username or self.password_file):
            raise ValueError("the embedded broker has no users; remove username and password_file")
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username")
        if self.url and "port" in self.model_fields_set:
            raise ValueError("port is for the embedded broker; write it into the url")
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


class GatewaySpec(Spec):
    """The box that leads to a bus of Modbus devices."""

    id: Id
    url: Annotated[str, AfterValidator(_gateway_url)]
    timeout: Annotated[Duration, Field(ge=timedelta(milliseconds=50), le=timedelta(minutes=1))] = (
        timedelta(seconds=1)
    )


class DeviceSpec(Spec):
    """One physical thing. MQTT devices have neither gateway nor unit_id."""

    id: Annotated[str, AfterValidator(_device_id), Field(max_length=120)]
    profile: Reference
    place: Reference
    gateway: Reference | None = None
    unit_id: int | None = Field(None, ge=UNIT_ID_MIN, le=UNIT_ID_MAX)
    interval: Annotated[Duration, Field(ge=timedelta(milliseconds=100), le=timedelta(days=1))] = (
        timedelta(seconds=60)
    )


class CampusFile(Spec):
    """campus.yaml: one site."""

    version: Literal[1]
    site: SiteSpec
    data: str = Field("var", min_length=1)
    store: StoreSpec = DuckdbStoreSpec(kind="duckdb")
    database: Annotated[str, AfterValidator(_database)] = "sqlite"
    journal: JournalSpec = JournalSpec()
    web: WebSpec = WebSpec()
    mqtt: MqttSpec | None = None
    writes: bool = False
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
DEVICE_COLUMNS = ("id", "profile", "place", "gateway", "unit_id", "interval")
