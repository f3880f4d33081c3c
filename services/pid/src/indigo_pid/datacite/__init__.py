"""DataCite Metadata Schema 4.7: the resource as a model, as JSON of the REST API, and as XML."""
