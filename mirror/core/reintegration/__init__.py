"""Reintegration, decided: what to detach and attach, which bytes to compare, how far it is.

    names      one directory on both nodes -> what must leave it, what must come into it
    data       dirty regions -> byte ranges, in shares that several threads take
    progress   what is done and left, as a value; the closing line
    pace       how long to wait so that a bandwidth is kept

All of it is pure; mirror/daemon/plane performs it.
"""
