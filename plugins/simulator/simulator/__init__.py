"""A loopback server that stands in for Blockchair's API, Blockchair's dump host and CoinGecko.

Written from the vendors' contracts only: it shares no code and no constants with the taps, so that a mistake in one
is found by the other.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("crypto-elt-simulator")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0.0.0"
