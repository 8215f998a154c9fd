"""`python -m mirror.cli`: what SAFE/safekit runs."""

from mirror.cli.main import main

main()
