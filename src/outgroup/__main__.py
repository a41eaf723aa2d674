"""``python -m outgroup`` is the command line."""

from outgroup.cli import main

if __name__ == "__main__":
    main()
