"""The secret of a hub: made once, kept in its data folder, with a key of its own per purpose.

Who has the file can sign links and labels; a backup holds it, so that labels on doors stay good.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import os
import tempfile
from pathlib import Path

from hub.ports import Clock, StartError

NAME = "campus-hub"
_SHORTEST = 32  # characters of the file
_TAG_BYTES = 16


class Secret:
    """Signs short texts; what was signed for one purpose is good for no other."""

    def __init__(self, root: str) -> None:
        self._root = root.encode()

    def key(self, purpose: str) -> bytes:
        """Derive the 32 bytes of one purpose (HKDF-SHA256, RFC 5869)."""
        return hkdf(self._root, NAME.encode(), purpose.encode())

    def tag(self, purpose: str, text: str) -> str:
        """Return what proves that this hub wrote a text for a purpose: 22 letters for URLs."""
        mac = hmac.digest(self.key(purpose), text.encode(), "sha256")
        return _letters(mac[:_TAG_BYTES])

    def signed(self, purpose: str, text: str) -> str:
        """Return a text with its tag as one word for a URL; the text can be read by everybody."""
        word = _letters(text.encode())
        return f"{word}.{self.tag(purpose, word)}"

    def opened(self, purpose: str, token: str) -> str | None:
        """Return the text of a token; None when this hub did not sign it for that purpose."""
        word, _, tag = token.partition(".")
        if not hmac.compare_digest(self.tag(purpose, word).encode(), tag.encode()):
            return None
        try:
            padded = word + "=" * (-len(word) % 4)
            return base64.urlsafe_b64decode(padded).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None


def hkdf(root: bytes, salt: bytes, info: bytes) -> bytes:
    """Derive 32 bytes from a root (RFC 5869 with SHA-256, one block)."""
    return hmac.digest(hmac.digest(salt, root, "sha256"), info + b"\x01", "sha256")


def kept_secret(file: Path, clock: Clock) -> Secret:
    """Return the secret of a data folder, made at the first call; StartError when it is spoilt."""
    try:
        if not file.exists():
            _make(file, clock.token("secret"))
        if file.stat().st_mode & 0o077:
            raise StartError(f"{file} can be read by others; chmod 600 it")
        root = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the secret {file} cannot be read or written: {error}") from error
    if len(root) < _SHORTEST:
        raise StartError(
            f"the secret {file} is too short; restore it from a backup, or remove it: "
            "all links and labels that were signed with it are void then"
        )
    return Secret(root)


def _make(file: Path, root: str) -> None:
    """Write a new secret whole or not at all; who comes second leaves the first as it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".secret-", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(root + "\n")
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def _letters(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
