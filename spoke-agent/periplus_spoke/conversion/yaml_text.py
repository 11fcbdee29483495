"""YAML as it stands in ConfigMaps."""


def yaml_mapping(text: str) -> dict[object, object]:
    """The mapping that a text is; empty where it is none."""
    if not text:
        return {}
    import yaml  # noqa: PLC0415 - 2 MiB that only some clusters need

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
