"""Arguments of programs, as `--name value` and `--name=value`."""


def flag(arguments: tuple[str, ...], name: str) -> str:
    """The value of `--name value` or `--name=value`, the last one given as Kubernetes takes it; empty without."""
    value = ""
    for position, text in enumerate(arguments):
        if text.startswith(f"--{name}="):
            value = text.partition("=")[2]
        elif text == f"--{name}" and position + 1 < len(arguments):
            value = arguments[position + 1]
    return value
