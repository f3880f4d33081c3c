"""Integrity testing: existence, metadata, content and processing."""
