"""The floor of its slice that a module of the hub stands on, however deep its package lies."""

from pathlib import PurePosixPath

# Lowest first. What has one number stands side by side and does not know the other.
FLOORS = {"model": 0, "engine": 1, "tables": 2, "repository": 3, "service": 4, "jobs": 5, "routes": 5, "graphql": 5}


def floor_of(path: str) -> str | None:
    """Told by the first word of its file, or of a folder around it: the outermost decides, so no folder is a way out.

    None where no word tells it, and outside slices.
    """
    parts = PurePosixPath(path).with_suffix("").parts
    return floor_in(parts[3:]) if parts[:2] == ("hub", "periplus_hub") else None


def floor_in(names: tuple[str, ...]) -> str | None:
    """The floor that names of folders and files, outermost first, tell."""
    return next((word for word in (name.partition("_")[0] for name in names) if word in FLOORS), None)
