"""Persistent identifiers: internal PIDs, DOIs, resolver, registrar reconciliation."""
