"""Certificates for tests, made here and good for two days."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from hub.ports import Credentials


@dataclass
class Authority:
    """A CA of its own and what it signs; OpenSSL does the work."""

    program: str
    folder: Path

    def make(self, name: str, alternative: str = "") -> Path:
        """Make a certificate; without an alternative name it signs itself, as a CA."""
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        command = [
            self.program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", str(key),
            "-out", str(certificate),
        ]  # fmt: skip
        if alternative:
            signer = ["-CA", str(self.folder / "ca.pem"), "-CAkey", str(self.folder / "ca.key")]
            usage = ["-addext", "basicConstraints=critical,CA:FALSE"]
            command += [*signer, *usage, "-addext", f"subjectAltName={alternative}"]
        subprocess.run(command, check=True, capture_output=True)
        return certificate

    def known(self, name: str = "") -> Credentials:
        """Return who trusts this CA, with a certificate of its own if there is a name."""
        mine = (self.folder / f"{name}.pem", self.folder / f"{name}.key") if name else (None, None)
        return Credentials(ca=self.folder / "ca.pem", certificate=mine[0], key=mine[1])
