"""The command `periplus-spoke`, also as `python -m periplus_spoke`.

Ctrl-C ends it quietly, even while its modules still load: so this one imports next to nothing.
"""

import sys


def main() -> None:
    """Run the command line that the process was started with."""
    try:
        from periplus_contract import streams  # noqa: PLC0415 - Ctrl-C meanwhile is to be caught

        streams.guard()
        from periplus_spoke.main import main as command_line  # noqa: PLC0415 - as above

        command_line()
    except KeyboardInterrupt:
        sys.exit(130)  # Exit.INTERRUPTED, which is not loaded yet


if __name__ == "__main__":
    main()
