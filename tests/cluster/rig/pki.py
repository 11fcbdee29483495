"""The certificates and keys of one throw-away cluster, made with the `openssl` program.

The standard library cannot make certificates, and the rig adds no dependency for it.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = dn
prompt = no
[dn]
{names}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
{subject_alt_name}
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_DAYS = "7"


class PkiError(RuntimeError):
    """openssl is missing or refused; the message holds what it said."""


@dataclass(frozen=True)
class KeyPair:
    """A PEM certificate and its private key."""

    certificate: Path
    key: Path


class Pki:
    """One folder with a CA of its own, so that no cluster trusts another's certificates."""

    def __init__(self, folder: Path, common_name: str) -> None:
        self._folder = folder
        self._common_name = common_name
        self.ca = KeyPair(folder / "ca.crt", folder / "ca.key")
        self.service_account_key = folder / "sa.key"

    def create(self) -> None:
        """Makes the CA and the key that signs ServiceAccount tokens."""
        self._folder.mkdir(mode=0o700, parents=True)
        config = self._config("ca", [f"CN = {self._common_name}"])
        request = ["req", "-x509", *_NEW_KEY, "-config", str(config), "-extensions", "ca"]
        _openssl([*request, "-days", _DAYS, *_outputs(self.ca)])
        # RSA, as the managed clouds sign with: a verifier that only knows ES256 must fail here too.
        bits = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        _openssl(["genpkey", *bits, "-out", str(self.service_account_key)])

    def issue(self, name: str, *, user: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> KeyPair:
        """A certificate for a user (Kubernetes reads CN and O) or for a server's `hosts`.

        `hosts` are spelled as openssl wants them: `DNS:localhost`, `IP:127.0.0.1`.
        """
        pair = KeyPair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        names = [f"{index}.O = {group}" for index, group in enumerate(groups)]
        config = self._config(name, [*names, f"CN = {user}"], hosts)
        request = self._folder / f"{name}.csr"
        new = ["req", "-new", *_NEW_KEY, "-config", str(config)]
        _openssl([*new, "-keyout", str(pair.key), "-out", str(request)])
        authority = ["-CA", str(self.ca.certificate), "-CAkey", str(self.ca.key)]
        sign = ["x509", "-req", "-in", str(request), *authority, "-CAcreateserial"]
        extensions = ["-extfile", str(config), "-extensions", "leaf"]
        _openssl([*sign, *extensions, "-days", _DAYS, "-out", str(pair.certificate)])
        return pair

    def _config(self, name: str, names: Sequence[str], hosts: Sequence[str] = ()) -> Path:
        alternatives = f"subjectAltName = {','.join(hosts)}" if hosts else ""
        path = self._folder / f"{name}.cnf"
        path.write_text(_CONFIG.format(names="\n".join(names), subject_alt_name=alternatives))
        return path


def _outputs(pair: KeyPair) -> list[str]:
    return ["-keyout", str(pair.key), "-out", str(pair.certificate)]


def _openssl(arguments: Sequence[str]) -> None:
    program = shutil.which("openssl")
    if program is None:
        message = "the rig makes its certificates with openssl, and there is none on PATH"
        raise PkiError(message)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"openssl {arguments[0]}: {done.stderr.strip()}"
        raise PkiError(message)
