"""Sync jobs: the runs of connectors, from their creation to their end."""
