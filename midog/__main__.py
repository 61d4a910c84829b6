"""`python -m midog` is `midog`."""

from midog.cli import main

main()
