"""File system suites of others, run on a mount and on the plain disk beside it.

`make suites` runs them: it fetches them from the distribution, which `make test` does not.
"""
