"""What a process counts and measures, for Prometheus: docs/reference/metrics.md describes each metric."""
