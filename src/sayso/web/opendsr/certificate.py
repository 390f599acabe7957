"""The processor's certificate: what OpenDSR's answers and calls are signed with (section 4).

It is the operator's, from a trusted authority. Without one we make our own, so that everything
works at once; the specification does not allow that, and who calls must trust it by other means.
"""

import base64
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from msgspec import Struct

from sayso.errors import UsageError
from sayso.rights.database import now
from sayso.workspace import Workspace, write_atomically

DOMAIN_HEADER: Final = "X-OpenDSR-Processor-Domain"
SIGNATURE_HEADER: Final = "X-OpenDSR-Signature"
KEY_BITS: Final = 3072
LASTS: Final = timedelta(days=730)
LOCAL: Final = "localhost"


class Processor(Struct, frozen=True):
    """Who signs: our domain, our certificate (PEM) and its key."""

    domain: str
    certificate: bytes
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the header lines that sign a body: SHA-256 with RSA (PKCS#1) or ECDSA."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            signature = self.key.sign(body, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = self.key.sign(body, ec.ECDSA(hashes.SHA256()))
        return {
            DOMAIN_HEADER: self.domain,
            SIGNATURE_HEADER: base64.b64encode(signature).decode("ascii"),
        }


def processor(workspace: Workspace) -> Processor:
    """Return who signs for an installation; its own certificate is made at first use.

    Raises:
        UsageError: the operator's certificate and key cannot be read, or do not belong together.
    """
    settings = workspace.settings.agents
    domain = urlsplit(workspace.settings.mail.url).hostname or LOCAL
    if settings.certificate_file:
        paths = (
            workspace.home / settings.certificate_file,
            workspace.home / settings.certificate_key_file,
        )
    else:
        paths = _own(workspace, domain)
    try:
        changed = tuple(path.stat().st_mtime_ns for path in paths)
        return _read(*paths, domain, changed)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(
            "the certificate that signs answers to programs cannot be used",
            "see certificate_file and certificate_key_file of [agents] in docs/settings.md",
        ) from error


@lru_cache(maxsize=8)
def _read(certificate: Path, key: Path, domain: str, _changed: tuple[int, ...]) -> Processor:
    pem = certificate.read_bytes()
    loaded = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("a key for RSA or ECDSA was expected")
    if x509.load_pem_x509_certificate(pem).public_key() != loaded.public_key():
        raise ValueError("certificate and key do not belong together")
    return Processor(domain, pem, loaded)


def _own(workspace: Workspace, domain: str) -> tuple[Path, Path]:
    """Return the paths of our own certificate and key, made if there is none that is good."""
    paths = workspace.keys / "opendsr.cert.pem", workspace.keys / "opendsr.key.pem"
    if not _is_good(paths[0], domain):
        with workspace.lock("keys", wait=True):  # two first requests at once make one key
            if not _is_good(paths[0], domain):
                _make(*paths, domain)
    return paths


def _is_good(path: Path, domain: str) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_ours = domain in names.get_values_for_type(x509.DNSName)
    return is_ours and certificate.not_valid_after_utc > now()


def _make(path: Path, key_path: Path, domain: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(hours=1))  # other clocks may be late
        .not_valid_after(now() + LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(key_path, private, mode=0o600)
    write_atomically(path, certificate.public_bytes(Encoding.PEM))
