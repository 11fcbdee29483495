"""`python -m periplus_spoke` is `periplus-spoke`."""

from periplus_spoke.main import main

if __name__ == "__main__":
    main()
