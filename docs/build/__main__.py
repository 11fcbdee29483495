"""`python -m docs.build [--check]`, run in the root of the repository."""

import argparse
import sys

from docs.build import pages
from docs.build.source import ROOT


def main() -> int:
    """Exit code 0 when everything is written or, with --check, up to date; 1 names what is stale."""
    parser = argparse.ArgumentParser(prog="python -m docs.build", description="Write the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 and name the stale pages")
    if parser.parse_args().check:
        found = pages.stale(ROOT)
        sys.stdout.writelines(f"stale: {path}; run 'make docs'\n" for path in found)
        return int(bool(found))
    sys.stdout.writelines(f"wrote {path}\n" for path in pages.write(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
