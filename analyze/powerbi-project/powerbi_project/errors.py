"""The one error a person sees."""


class ProjectError(Exception):
    """Something that a person can mend; the message says what and how."""
