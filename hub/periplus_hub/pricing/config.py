"""How traffic is priced."""

from pathlib import Path

from pydantic import Field

from periplus_hub.kit.config import Settings


class PricingConfig(Settings):
    """Settings of costs."""

    price_books: Path | None = Field(
        default=None,
        description="Folder of price books of your own, in TOML: one with the name of a built-in book takes its place. "
        "`periplus prices check FILE` says what is wrong with one.",
    )
    team_label: str = Field(
        default="team",
        pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$",
        description="The label of a namespace that says which team pays for what is in it.",
    )
