"""The one kind of failure that a person is told of in a sentence."""


class AirflowExtError(Exception):
    """An expected failure.

    Its text is a whole sentence for a person: what failed, where, and what to do next. It never holds a secret.
    """
