"""What the console remembers in SAFEVAR: users, sessions, tokens, one-time links, the audit."""
