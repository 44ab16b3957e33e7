"""Run the tap with ``python -m tap_coingecko``."""

from tap_coingecko.tap import TapCoinGecko

TapCoinGecko.cli()
