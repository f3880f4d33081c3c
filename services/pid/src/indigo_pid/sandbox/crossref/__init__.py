"""Crossref's deposit system and the lists of its REST API, over tables of its own.

Deposits are taken into a queue and processed later; what became of them is a report. It registers nothing
anywhere.
"""
