"""The one kind of failure that is reported to a person in a sentence."""


class AirflowExtError(Exception):
    """An expected failure.

    Its text is a whole sentence for a person: what failed, where, and what to do next. It never holds a secret.
    """
