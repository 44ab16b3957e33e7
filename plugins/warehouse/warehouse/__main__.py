"""Lets ``python -m warehouse`` do what the executable ``warehouse`` does."""

from warehouse.cli import main

if __name__ == "__main__":
    main()
