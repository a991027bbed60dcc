"""The command line `sync-jobs`."""
