"""The certificate authorities that this host trusts beside Debian's: an inspecting proxy's, say."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path

from operations.images import ImageError

HOST_FOLDER = Path("/usr/local/share/ca-certificates")
DEBIAN_FOLDER = Path("/usr/share/ca-certificates")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+(.+?)\s+-----END CERTIFICATE-----", re.DOTALL)


def extra_certificates(
    ca_bundle: Path | None, host: Path = HOST_FOLDER, debian: Path = DEBIAN_FOLDER
) -> dict[str, bytes]:
    """The host's own authorities and those of `ca_bundle`, as PEM by file name, each once, Debian's left out.

    One certificate a file, as update-ca-certificates and Java's trust store want it; named by its content, so
    that the order of a bundle does not matter. Raises ImageError when the bundle is missing or holds none.
    """
    known = {der for file in debian.rglob("*.crt") for der in certificates(file)}
    found = [der for file in sorted(host.rglob("*.crt")) for der in certificates(file)]
    if ca_bundle is not None:
        if not ca_bundle.is_file():
            raise ImageError(
                f"the CA bundle {ca_bundle} does not exist: correct or remove the setting clinical:caBundle."
            )
        given = certificates(ca_bundle)
        if not given:
            raise ImageError(
                f"the CA bundle {ca_bundle} holds no PEM certificate: clinical:caBundle must name a "
                "file with '-----BEGIN CERTIFICATE-----' blocks."
            )
        found += given
    return {f"{hashlib.sha256(der).hexdigest()[:16]}.crt": pem(der) for der in found if der not in known}


def certificates(file: Path) -> list[bytes]:
    """Every certificate of a PEM file, in DER. Raises ImageError when one is damaged or cannot be read."""
    try:
        return [
            base64.b64decode(block, validate=False) for block in PEM.findall(file.read_text(errors="replace"))
        ]
    except binascii.Error:
        raise ImageError(f"{file} holds a damaged certificate: replace the file.") from None
    except OSError as error:
        raise ImageError(f"{file} cannot be read: {error.strerror}.") from None


def pem(der: bytes) -> bytes:
    """One certificate in PEM, in lines of 64 characters."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()
