"""The one door to an InfluxDB server: lines out, InfluxQL answers in, and what its faults mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from hub.ports import StoreError

NOT_FOUND = 404
KEPT = 204
# About the lines themselves: bad request, too large, unprocessable.
LINES_REFUSED = (400, 413, 422)
NOT_ALLOWED = (401, 403)
# Answers about the server, not about a line: the operator can raise a limit, and nothing is lost.
_FULL = ("limit exceeded", "limit reached")
MILLISECONDS: Any = WritePrecision.MS  # a plain str in the library, typed as an enum


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and what it calls our buckets.

    ``token``: of 1.x ``user:password``. ``rollup_bucket``: one that forgets nothing, where
    ``bucket`` has a retention of its own.
    """

    url: str
    bucket: str
    org: str = "-"
    token: str = field(default="", repr=False)
    rollup_bucket: str = ""
    timeout_s: float = 10.0


class RefusedLinesError(Exception):
    """The server understood the request and did not take every line of it."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its tags, and rows of instant in ms and the columns asked for."""

    tags: dict[str, str]
    rows: list[list[Any]]


def shown(token: str) -> Callable[[httpx.Request], httpx.Request] | httpx.Auth:
    """Say who we are on the paths of 1.x: a token, or its user:password, which it wants so."""
    user, colon, password = token.partition(":")
    if colon:
        return httpx.BasicAuth(user, password)

    def show(request: httpx.Request) -> httpx.Request:
        if token:
            request.headers["Authorization"] = f"Token {token}"
        return request

    return show


class Server:
    """Writes lines and asks questions; raises StoreError for whatever an operator must mend."""

    def __init__(self, address: Address) -> None:
        url, token = address.url, address.token
        self._org = address.org
        self._url = url
        self._client = InfluxDBClient(
            url, token, org=address.org, timeout=int(address.timeout_s * 1000)
        )
        # Its batching mode is in memory and loses data without a word; our batches are durable.
        self._write_api = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = httpx.Client(base_url=url, auth=shown(token), timeout=address.timeout_s)
        self.old_path = False

    def write(self, bucket: str, lines: Sequence[str]) -> None:
        """Send lines; RefusedLinesError when not all were taken, StoreError when none can be."""
        text = "\n".join(lines)
        if self.old_path:
            self._write_old(bucket, text)
            return
        try:
            self._write_api.write(bucket, self._org, text, write_precision=MILLISECONDS)
        except ApiException as error:
            if error.status != NOT_FOUND:
                raise self._fault(error.status, error.body or error.reason) from error
            self._write_old(bucket, text)  # before 1.8 there is no /api/v2
        except HTTPError as error:
            raise self._silent(error) from error

    def _write_old(self, bucket: str, text: str) -> None:
        params = {"db": bucket, "precision": "ms"}
        try:
            answer = self._http.post("/write", params=params, content=text.encode())
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        # It is there, whatever it says of the lines; "no such database" is the same on both paths.
        self.old_path = answer.status_code in {KEPT, *LINES_REFUSED}
        if answer.status_code != KEPT:
            raise self._fault(answer.status_code, answer.text)

    def ask(self, bucket: str, query: str) -> list[Series]:
        """Return the series that one InfluxQL statement finds."""
        return self._query("GET", bucket, query)

    def order(self, bucket: str, statement: str) -> None:
        """Carry out one InfluxQL statement that changes something."""
        self._query("POST", bucket, statement)

    def _query(self, method: str, bucket: str, query: str) -> list[Series]:
        params = {"db": bucket, "q": query, "epoch": "ms"}
        try:
            answer = self._http.request(method, "/query", params=params)
        except httpx.HTTPError as error:
            raise self._silent(error) from error
        if answer.is_error:
            raise StoreError(self._said(answer.status_code, answer.text))
        return self._understood(answer)

    def _understood(self, answer: httpx.Response) -> list[Series]:
        try:
            said = orjson.loads(answer.content)["results"][0]
            if "error" in said:
                raise StoreError(f"influx: {self._url}: {said['error']}")
            found = [
                (part["columns"][0], Series(part.get("tags", {}), part["values"]))
                for part in said.get("series", [])
            ]
        except (ValueError, LookupError, TypeError) as error:
            raise self._no_influxql() from error
        if any(first != "time" for first, _ in found):
            raise self._no_influxql()  # VictoriaMetrics lists databases, whatever the question
        return [series for _, series in found]

    def _no_influxql(self) -> StoreError:
        return StoreError(
            f"influx: {self._url} does not answer InfluxQL on /query; "
            "this store needs InfluxDB, or a server that answers like it"
        )

    def _silent(self, error: Exception) -> StoreError:
        return StoreError(f"influx: {self._url}: no answer: {str(error) or type(error).__name__}")

    def _fault(self, status: int | None, text: Any) -> RefusedLinesError | StoreError:
        words = str(text).strip()
        if status in LINES_REFUSED and not any(word in words for word in _FULL):
            return RefusedLinesError(words)
        return StoreError(self._said(status, words))

    def _said(self, status: int | None, text: str) -> str:
        do = "; check token_file of the store" if status in NOT_ALLOWED else ""
        return f"influx: {self._url}: answered {status}: {text.strip()[:300]}{do}"

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
        self._client.api_client.rest_client.pool_manager.clear()  # close() forgets the sockets
        self._client.close()  # type: ignore[no-untyped-call]
