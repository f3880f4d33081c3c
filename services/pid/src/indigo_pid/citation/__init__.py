"""What an identifier names, in the formats that citation managers, search engines and RDF tools read."""
