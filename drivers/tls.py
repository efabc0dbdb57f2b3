"""How the hub and the other end of a connection know each other over TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from hub.ports import ConfigError


def trusting(
    whose: str, ca: Path | None, certificate: Path | None, key: Path | None
) -> ssl.SSLContext:
    """Trust who signed the other end's certificate; its name must be that of the URL.

    Without ``ca`` the machine's own list counts. ``certificate`` and ``key`` are ours, where we
    are asked who we are.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    except (OSError, ssl.SSLError) as error:
        what = f"{whose} ca_file {ca}: is no certificate in PEM that can be read: {error}"
        raise ConfigError([what]) from error
    if certificate is None:
        return context
    try:
        # An empty password: a key that wants one is refused here, not asked for at a terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError, ValueError) as error:
        files = f"{certificate}, key_file {key}"
        what = "are no certificate and its key in PEM, without a password, that can be read"
        raise ConfigError([f"{whose} cert_file {files}: {what}: {error}"]) from error
    return context
