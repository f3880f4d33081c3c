"""Preservation repository: datasets, software, plans and analyses as OCFL objects."""
