"""`python -m apps.cli`: the same as `assay`, for child processes."""

from apps.cli import main

main()
