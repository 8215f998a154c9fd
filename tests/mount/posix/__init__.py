"""What POSIX and Linux promise of a directory, as small programs that say what they saw.

`python -m tests.mount.posix DIRECTORY` runs every case in a directory of its own and prints what
each observed, a line of JSON each. Run on a plain directory and on a mount, the two must be the
same.
"""
