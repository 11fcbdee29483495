"""What the wire carries as texts, as objects: labels, selectors, addresses, ports, aliases.

Texts come from clusters, so any of them is taken: what is missing is null, and nothing is refused here.
"""

from functools import partial
from typing import Any, Final

import strawberry

from periplus_hub.kit.graphql_parsed import parsed

_HIGHEST_PORT: Final = 65_535


@strawberry.type(description="A key with its value, as in labels and selectors.")
class KeyValue:
    """`key=value`."""

    key: str = strawberry.field(description="The key.")
    value: str = strawberry.field(description="Its value; it may be empty.")

    @classmethod
    def of(cls, text: str) -> "KeyValue":
        """The first `=` divides them."""
        key, _, value = text.partition("=")
        return cls(key=key, value=value)


@strawberry.type(description="An address of a node.")
class NodeAddress:
    """`Type=value`."""

    type: str = strawberry.field(description="Like InternalIP, ExternalIP or Hostname.")
    address: str = strawberry.field(description="An IP address or a name, as the type says.")

    @classmethod
    def of(cls, text: str) -> "NodeAddress":
        """As KeyValue."""
        kind, _, address = text.partition("=")
        return cls(type=kind, address=address)


@strawberry.type(description="What another system calls a cluster.")
class ClusterAlias:
    """`system=name`."""

    system: str = strawberry.field(description="The system, like eks or rancher.")
    name: str = strawberry.field(description="The cluster's name there.")

    @classmethod
    def of(cls, text: str) -> "ClusterAlias":
        """As KeyValue."""
        system, _, name = text.partition("=")
        return cls(system=system, name=name)


@strawberry.type(description="A port of a service.")
class ServicePort:
    """`name|protocol|port|targetPort|nodePort|appProtocol`."""

    name: str | None = strawberry.field(description="Its name; null where it has none.")
    protocol: str | None = strawberry.field(description="TCP, UDP or SCTP.")
    port: int | None = strawberry.field(description="The service's own port.")
    target_port: str | None = strawberry.field(description="The pods' port: a number, or the name of a container port.")
    node_port: int | None = strawberry.field(description="The port on every node, where there is one.")
    app_protocol: str | None = strawberry.field(description="What is spoken there, like kubernetes.io/h2c.")

    @classmethod
    def of(cls, text: str) -> "ServicePort":
        """Empty parts are null."""
        name, protocol, port, target, node, app = _parts(text, 6)
        return cls(
            name=name, protocol=protocol, port=_port(port), target_port=target, node_port=_port(node), app_protocol=app
        )


@strawberry.type(description="A port of an endpoint.")
class EndpointPort:
    """`name|protocol|port|appProtocol`."""

    name: str | None = strawberry.field(description="Its name; null where it has none.")
    protocol: str | None = strawberry.field(description="TCP, UDP or SCTP.")
    port: int | None = strawberry.field(description="The number; null is any.")
    app_protocol: str | None = strawberry.field(description="What is spoken there, like kubernetes.io/h2c.")

    @classmethod
    def of(cls, text: str) -> "EndpointPort":
        """Empty parts are null."""
        name, protocol, port, app = _parts(text, 4)
        return cls(name=name, protocol=protocol, port=_port(port), app_protocol=app)


def _parts(text: str, count: int) -> list[str | None]:
    found = text.split("|")[:count]
    return [part or None for part in (*found, *[""] * (count - len(found)))]


def _port(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT))):
        return None
    number = int(text)
    return number if number <= _HIGHEST_PORT else None


labels: Final = partial(parsed, "label_texts", KeyValue, KeyValue.of, description="Its labels.", about=20)
"""The field of everything that has labels."""


def pairs(attribute: str, description: str) -> Any:  # noqa: ANN401 - as parsed
    """A field that lists keys and values."""
    return parsed(attribute, KeyValue, KeyValue.of, description=description, about=8)
