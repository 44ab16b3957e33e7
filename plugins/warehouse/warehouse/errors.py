"""The one error type that a person sees as a sentence."""


class WarehouseError(Exception):
    """An expected failure.

    Its text is a whole sentence for a person: what failed, where, and what to do next. It never holds a secret.
    """
