"""Values that both charts have."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

Map = dict[str, Any]
"""Handed on to Kubernetes as it is; the API server says what may be in it."""
Maps = list[dict[str, Any]]
Texts = dict[str, str]
Port = Annotated[int, Field(ge=1, le=65_535)]
Environment = Annotated[Texts, Field(json_schema_extra={"propertyNames": {"not": {"pattern": "^PERIPLUS_"}}})]
"""Never our own settings: those have a place of their own, where they are checked."""
Digest = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")]
Name = Annotated[str, Field(max_length=63)]
UID: Final = 65_532


class Values(BaseModel):
    """Base of every part: what is not known is refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )


def members(part: Values) -> Iterator[tuple[str, Any, FieldInfo]]:
    """Path, value and description of each: what is particular comes first, what many have in common last."""
    kind = type(part)
    for name in sorted(kind.model_fields, key=lambda each: each not in kind.__annotations__):
        field = kind.model_fields[name]
        yield str(field.alias), getattr(part, name), field


class Image(Values):
    """What runs."""

    registry: str = ""
    """Registry of the image, with a path where there is one. Needed: no images of Periplus are published yet.
    `global.imageRegistry` replaces it."""
    repository: str
    """Name of the image in the registry."""
    tag: str = ""
    """Default: the chart's appVersion."""
    digest: Digest = ""
    """`sha256:…`; replaces the tag."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull the image."""


class RunAs(Values):
    """Ids of the pods' processes and volumes. Set one to null where the platform chooses it, as OpenShift does."""

    user: int | None = UID
    """The images have an account of this id."""
    group: int | None = UID
    """The group."""
    fs_group: int | None = UID
    """The group of the volumes."""


class Common(Values):
    """What every release may say."""

    enabled: bool = True
    """For charts that have this one as a dependency: their condition. The chart itself does not read it."""
    name_override: Name = ""
    """Replaces the chart's name in the names of objects."""
    fullname_override: Name = ""
    """Replaces the names of objects."""
    common_labels: Texts = Field(default_factory=dict)
    """Labels of every object."""
    image_pull_secrets: list[str] = Field(default_factory=list)
    """Names of Secrets with which nodes pull the image; `global.imagePullSecrets` is added."""
    run_as: RunAs = RunAs()
    secret_mounts: list[str] = Field(default_factory=list)
    """Names of Secrets to mount at `/etc/periplus/secrets/NAME`, for settings that name a file."""
    env: Environment = Field(default_factory=dict)
    """Further environment variables, like HTTPS_PROXY. Periplus' own settings belong in `config`."""
    listen_address: str = "0.0.0.0"  # noqa: S104 - of a pod, whose probes come from the node
    """Address on which pods listen: `::` where they have IPv6 addresses."""


class Scheduling(Values):
    """Where pods run, and how."""

    annotations: Texts = Field(default_factory=dict)
    """Annotations of the pods."""
    labels: Texts = Field(default_factory=dict)
    """Labels of the pods."""
    node_selector: Texts = Field(default_factory=dict)
    """Nodes must have these labels."""
    tolerations: Maps = Field(default_factory=list)
    """Taints of nodes to tolerate."""
    affinity: Map = Field(default_factory=dict)
    """Affinity, as Kubernetes has it."""
    priority_class_name: str = ""
    """The pods' priority class."""


class Monitor(Values):
    """For the Prometheus operator."""

    enabled: bool = False
    """Needs the operator's kinds in the cluster."""
    labels: Texts = Field(default_factory=dict)
    """Labels by which your Prometheus finds it."""


class ScrapedEvery(Monitor):
    """For the Prometheus operator."""

    interval: Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m|h)$")] = "30s"
    """How often Prometheus asks."""


def resources(cpu: str, memory: str, most_memory: str) -> Map:
    """Requests, and a limit for memory alone: one for CPU would only slow down."""
    return {
        "requests": {"cpu": cpu, "memory": memory, "ephemeral-storage": "64Mi"},
        "limits": {"memory": most_memory},
    }
