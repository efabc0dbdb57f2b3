"""A session of a person with the running hub, for the commands that ask it over HTTP."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings

PASSWORD = "CAMPUS_HUB_PASSWORD"  # noqa: S105 - the name of a variable
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - is compared with, not bound to


def add_arguments(parser: argparse.ArgumentParser, *, required: bool, right: str) -> None:
    """Give a command what says who asks, and where the hub is."""
    parser.add_argument("--user", required=required, help=f"who asks; the role needs {right}")
    parser.add_argument(
        "--password-file", type=Path, help=f"else {PASSWORD} is used, or the terminal asked"
    )
    parser.add_argument("--address", help="of the hub, where it is not the one in campus.yaml")


def address_of(settings: Settings) -> str:
    """Return where the hub of a site is to be found from this machine."""
    web = settings.web
    if not web.port:
        raise Refused("campus.yaml leaves the port to chance; name the hub with --address")
    host = "127.0.0.1" if web.host in _EVERYWHERE else web.host
    return f"http://[{host}]:{web.port}" if ":" in host else f"http://{host}:{web.port}"


def said(answer: httpx.Response) -> str:
    """Return what a hub says is wrong, and what to do about it, as two sentences of one line.

    >>> said(httpx.Response(422, json={"title": "no tariffs", "detail": "Write some."}))
    'no tariffs. Write some.'
    """
    try:
        problem = answer.json()
        what, then = problem["title"], problem.get("detail", "")
    except (ValueError, KeyError):
        return f"the hub answered {answer.status_code}"
    end = "" if not then or what.endswith((".", "!", "?")) else "."
    return f"{what}{end} {then}".strip()


class Session:
    """Somebody who is signed in."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self._http = http
        self._headers = {"X-CSRF-Token": token}

    def post(
        self, path: str, content: Mapping[str, Json], whose: str, **headers: str
    ) -> dict[str, Json]:
        """Ask for something; Refused, in the hub's own words about ``whose``, when it says no."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self._http.post(path, json=dict(content), headers=self._headers | named)
        if answer.is_success:
            result: dict[str, Json] = answer.json()
            return result
        raise Refused(f"{whose}: {said(answer)}")

    def end(self) -> None:
        """Sign out."""
        self._http.post("/logout", headers=self._headers)


@contextlib.contextmanager
def session(
    arguments: argparse.Namespace, address: str, patience_s: float, *, absent: str, broken: str
) -> Iterator[Session]:
    """Sign in, and out afterwards.

    ``absent`` says what no hub there means, ``broken`` what to do when an answer did not come.
    """
    password = _password(arguments)
    try:
        with httpx.Client(base_url=address, timeout=patience_s, trust_env=False) as http:
            signed_in = Session(http, _sign_in(http, arguments.user, password))
            try:
                yield signed_in
            finally:
                signed_in.end()
    except httpx.ConnectError as error:
        raise Refused(f"no hub answers at {address}, {absent}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Refused(f"{address}: {str(error) or type(error).__name__}; {broken}") from error


def _password(arguments: argparse.Namespace) -> str:
    if arguments.password_file is not None:
        try:
            text: str = arguments.password_file.read_text("utf-8")
        except OSError as error:
            raise Refused(f"--password-file {arguments.password_file}: {error.strerror}") from error
        return text.rstrip("\n")
    if (given := os.environ.get(PASSWORD)) is not None:
        return given
    if not sys.stdin.isatty():
        raise Refused(f"no terminal to ask for a password; use --password-file or {PASSWORD}")
    return getpass.getpass(f"password of {arguments.user}: ")


def _sign_in(http: httpx.Client, user: str, password: str) -> str:
    """Begin a session and return the token that its requests carry."""
    answer = http.post("/login", data={"name": user, "password": password})
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise Refused(f"{user}: the name or the password is wrong")
    if not answer.is_redirect:
        raise Refused(f"{http.base_url}: signing in gave {answer.status_code}; is this a hub?")
    if answer.headers["location"] == "/password":
        raise Refused(f"{user}: change the one-time password first, at {http.base_url}login")
    found = re.search(r'name="csrf" value="([^"]+)"', http.get("/password").text)
    if found is None:
        raise Refused(
            f"{http.base_url}: the hub keeps no session over this address; where people reach it "
            "through a proxy with TLS, name that with --address https://…"
        )
    return found[1]
