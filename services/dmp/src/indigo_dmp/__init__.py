"""Data management plans that act: plans, promises, the ledger."""
