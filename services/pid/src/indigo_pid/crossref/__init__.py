"""Crossref's deposit XML and its reports, without any transport."""
