"""The authority that an administrator pasted for a sign-in service."""

import ssl

from mirror.vocabulary.said import Misread, say


def context_of(authority: str) -> ssl.SSLContext:
    """Trust this authority alone (PEM). Raises: Misread when it is none."""
    try:
        return ssl.create_default_context(cadata=authority)
    except (OSError, TypeError, ValueError) as error:  # an SSLError is an OSError
        raise Misread(say("why.authority")) from error
