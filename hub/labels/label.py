"""What a label says, and how a code is known to be one that this hub made."""

from __future__ import annotations

import base64
import hmac
from typing import Literal, NamedTuple

from hub.secret import Secret
from hub.site import Site

Kind = Literal["place", "device"]
PURPOSE = "label"
PATH = "/q/"
_MAC_BYTES = 10  # 16 letters; a guess is a request, and requests are counted


class Subject(NamedTuple):
    """The place or device that a label stands on."""

    kind: Kind
    id: str


class Label(NamedTuple):
    """A subject of the site, where it is, and the code that its label carries."""

    subject: Subject
    place: str
    code: str


class Labels:
    """Makes and checks the codes of one site's labels; a code never changes.

    It can be copied by whoever can read it. It proves what the label says, not who holds it.
    """

    def __init__(self, site: Site, secret: Secret) -> None:
        self._site = site
        self._key = secret.key(PURPOSE)

    def of(self, subject: Subject) -> Label:
        """Return the label of a place or device of the site."""
        return Label(subject, self._place_of(subject), f"{subject.id}~{self._mac(subject)}")

    def read(self, code: str) -> Label | None:
        """Return the label that carries a code; None when this hub did not make it.

        None, too, when the place or device has left the configuration.
        """
        id_, _, mac = code.partition("~")
        known: tuple[tuple[Kind, bool], ...] = (
            ("place", id_ in self._site.places),
            ("device", id_ in self._site.devices),
        )
        found = None
        for kind, there in known:  # both are worked out, whatever is there
            subject = Subject(kind, id_)
            fits = hmac.compare_digest(self._mac(subject).encode(), _bytes(mac))
            found = subject if fits and there else found
        return self.of(found) if found else None

    def _place_of(self, subject: Subject) -> str:
        return subject.id if subject.kind == "place" else self._site.devices[subject.id].place

    def _mac(self, subject: Subject) -> str:
        mac = hmac.digest(self._key, _bytes("\0".join(subject)), "sha256")[:_MAC_BYTES]
        return base64.b32encode(mac).decode().lower()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
