"""Blockchair, simulated: a true world of Bitcoin, Ethereum and Dogecoin, its dump host and its API."""
