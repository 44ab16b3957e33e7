"""Blocks of an own full node as Blockchair's daily dump files, each verified before it is written."""
