"""Lets `python -m simulator` do what the `simulator` command does."""

from simulator.cli import main

if __name__ == "__main__":
    main()
