"""`python -m cli` in a checkout is the command `sync-jobs`."""

from .commands import main

main()
