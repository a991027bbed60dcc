"""Docker images made from this machine's packages, for machines that cannot reach an image registry."""
