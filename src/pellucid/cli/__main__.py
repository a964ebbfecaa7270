"""`python -m pellucid.cli`."""

from pellucid.cli.main import main

main()
