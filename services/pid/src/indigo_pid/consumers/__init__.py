"""Facts of the repository and what they mean for identifiers."""
