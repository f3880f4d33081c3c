"""A registrar to develop and to test against: DataCite's REST API over a table of its own.

It registers nothing anywhere. It knows nothing of the rest of the service, which talks to it over HTTP as it
talks to DataCite.
"""
