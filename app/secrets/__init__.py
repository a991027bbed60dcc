"""Connector secrets: texts kept for connectors, encrypted before they reach Elasticsearch."""
