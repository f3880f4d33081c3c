"""The resolver and the pages it shows."""
