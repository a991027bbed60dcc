"""The page for people who operate the service: what is going on, what hangs and why, and the buttons that help."""
