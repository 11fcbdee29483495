"""The JSON schema of `config` in the charts' values: the programs' own settings, but for those that a chart sets."""

from pathlib import Path
from typing import Any, Final, get_origin

import msgspec

from docs.build.charts.schema import plain
from periplus_hub.api.config import HubConfig
from periplus_spoke.kit import parsers
from periplus_spoke.kit.config import SpokeConfig
from periplus_spoke.kit.settings import SETTINGS

HUB_CHARTS_OWN: Final = frozenset(
    {
        "all_in_one",
        "allow_plain_http",
        "api_host",
        "api_port",
        "backup_database_url",
        "backup_flows",
        "backup_folder",
        "backup_keep",
        "backup_schedule",
        "data_dir",
        "database_url",
        "ephemeral",
        "flow_store_backup",
        "flow_store_cluster",
        "flow_store_url",
        "join_tokens_file",
        "metrics_host",
        "metrics_port",
        "migration_database_url",
        "postgres_account",
        "ready_file",
        "spokes_fd",
        "spokes_host",
        "spokes_port",
        "tls_certificate",
        "tls_key",
        "work_metrics_port",
    }
)
SPOKE_CHARTS_OWN: Final = frozenset(
    {
        "cluster_name",
        "context",
        "health_host",
        "health_port",
        "hub",
        "hub_ca",
        "join_token_file",
        "kubeconfig",
        "node_name",
        "prometheus_by_api_server",
        "state_dir",
        "status_file",
        "vantage",
    }
)
_TYPES: Final[dict[object, str]] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}


def hub_settings() -> dict[str, Any]:
    """Of the hub."""
    whole = plain(HubConfig.model_json_schema())
    return _closed({name: schema for name, schema in whole["properties"].items() if name not in HUB_CHARTS_OWN})


def spoke_settings() -> dict[str, Any]:
    """Of the spoke."""
    types = {field.name: field.type for field in msgspec.structs.fields(SpokeConfig)}
    return _closed(
        {
            setting.name: {**_spoke_type(setting.parse, types[setting.name]), "description": setting.help}
            for setting in SETTINGS
            if setting.name not in SPOKE_CHARTS_OWN
        }
    )


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _spoke_type(parse: object, annotation: object) -> dict[str, Any]:
    if isinstance(parse, parsers.OneOf):
        return {"enum": list(parse.choices)}
    if isinstance(parse, parsers.SomeOf):
        return {"type": "array", "uniqueItems": True, "items": {"enum": list(parse.choices)}}
    if isinstance(parse, parsers.Whole | parsers.Seconds):
        return {"type": _TYPES[annotation], "minimum": parse.least, "maximum": parse.most}
    if get_origin(annotation) is tuple:
        return {"type": "array", "items": {"type": "string"}}
    known = [_TYPES[each] for each in _members(annotation) if each in _TYPES]
    return {"type": known[0]}


def _members(annotation: object) -> tuple[object, ...]:
    """Of `Path | None`, both."""
    return getattr(annotation, "__args__", (annotation,))
