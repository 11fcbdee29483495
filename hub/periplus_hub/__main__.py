"""`python -m periplus_hub` is `periplus`."""

from periplus_hub.api.cli import main

if __name__ == "__main__":
    main()
