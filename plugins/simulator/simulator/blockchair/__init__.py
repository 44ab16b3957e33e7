"""Blockchair, simulated: a true world of Bitcoin, Ethereum, Dogecoin and their kin, its dump host and its API."""
