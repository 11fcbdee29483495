"""Run a kubeconfig's credential plugin: bounded, killed when it hangs, and never logged.

Protocol: client.authentication.k8s.io ExecCredential. kubernetes_asyncio's own runner neither times out nor kills.
"""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from periplus_spoke.kube.problems import KubeProblem

TIMEOUT_S: Final = 30.0
MAX_OUTPUT_BYTES: Final = 1024 * 1024
OWN_VARIABLES: Final = "PERIPLUS_"
_OF_THE_CLUSTER: Final = (
    *("server", "tls-server-name", "insecure-skip-tls-verify"),
    *("certificate-authority-data", "proxy-url"),
)
_TAIL_CHARS: Final = 160


class Credential(msgspec.Struct, rename="camel"):
    """ExecCredentialStatus."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    status: Credential | None = None


async def run_plugin(
    spec: Mapping[str, Any], cluster: Mapping[str, Any], *, folder: str = "", timeout_s: float = TIMEOUT_S
) -> Credential:
    """Run `spec` (a kubeconfig user's `exec`) for `cluster`; raises KubeProblem exec_plugin_missing or _failed.

    `folder` is the kubeconfig's: a command that is a relative path is meant from there, as kubectl takes it.
    """
    command = str(spec.get("command") or "")
    if os.sep in command:
        command = str(Path(folder, command))
    arguments = [str(argument) for argument in spec.get("args") or ()]
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            env=_environment(spec, cluster),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        hint = str(spec.get("installHint") or "").strip()
        raise KubeProblem(
            "exec_plugin_missing", f"credential plugin {command!r}: {error.strerror or error}", hint
        ) from error
    return _credential(command, *await _finish(process, command, timeout_s))


def _environment(spec: Mapping[str, Any], cluster: Mapping[str, Any]) -> dict[str, str]:
    wanted = {str(item.get("name")): str(item.get("value")) for item in spec.get("env") or ()}
    info: dict[str, Any] = {"interactive": False}
    if spec.get("provideClusterInfo"):
        info["cluster"] = {key: cluster[key] for key in _OF_THE_CLUSTER if key in cluster}
    document = {"apiVersion": spec.get("apiVersion"), "kind": "ExecCredential", "spec": info}
    # Ours hold the join token, and are nobody else's.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    return {**inherited, **wanted, "KUBERNETES_EXEC_INFO": msgspec.json.encode(document).decode()}


async def _finish(process: asyncio.subprocess.Process, command: str, timeout_s: float) -> tuple[int, bytes, bytes]:
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await asyncio.gather(_bounded(process.stdout), _bounded(process.stderr))
            await process.wait()
    except TimeoutError as error:
        raise KubeProblem(
            "exec_plugin_failed", f"credential plugin {command!r} gave no answer within {timeout_s:g} s"
        ) from error
    finally:
        if process.returncode is None:
            # The whole group: plugins are often scripts, and what they started would go on holding the pipes and the
            # login.
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, out, err


async def _bounded(stream: asyncio.StreamReader | None) -> bytes:
    """All that comes, kept up to a bound: a credential is small."""
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(64 * 1024)):
        kept += chunk[: MAX_OUTPUT_BYTES - len(kept)]
    return bytes(kept)


def _credential(command: str, code: int, out: bytes, err: bytes) -> Credential:
    if code:
        said = err.decode(errors="replace").strip().rpartition("\n")[2][-_TAIL_CHARS:]
        raise KubeProblem("exec_plugin_failed", f"credential plugin {command!r} ended with {code}: {said}")
    try:
        credential = msgspec.json.decode(out, type=_Answer).status
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise KubeProblem(
            "exec_plugin_failed", f"credential plugin {command!r} did not write an ExecCredential"
        ) from error
    if credential is None or not (
        credential.token or (credential.client_certificate_data and credential.client_key_data)
    ):
        raise KubeProblem("exec_plugin_failed", f"credential plugin {command!r} gave neither token nor certificate")
    return credential
