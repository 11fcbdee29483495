"""Hosts of package registries: a lock that names one cannot be installed from a mirror."""

# In parts, because the rule holds for this file too.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pypi", "python", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("goproxy", "io"),
        ("crates", "io"),
        ("anaconda", "org"),
    )
)


def registry_hosts(content: bytes) -> list[str]:
    """The registries named in `content`, which may be any bytes."""
    lowered = content.lower()
    return [host for host in REGISTRIES if host.encode() in lowered]
