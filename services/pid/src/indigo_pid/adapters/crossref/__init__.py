"""Crossref as a registrar: records are gathered into deposits, and what became of them is asked for later."""
