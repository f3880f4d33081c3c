"""Storage systems that cannot be had here, over real files, with the wire formats of the real ones."""
