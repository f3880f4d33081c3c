"""Who is asking, and what they may do: bearer tokens, API keys, scopes, groups."""
