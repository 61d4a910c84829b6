"""`python -m midog` is `midog`."""

from midog.cli.main import main

main()
