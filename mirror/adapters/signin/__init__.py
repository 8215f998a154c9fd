"""Signing in by somebody else's word: an LDAP directory, an OpenID Connect provider."""
