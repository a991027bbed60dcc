"""What one process does for all replicas in the background: docs/maintenance.md says what, and what it does not."""
