"""The verbs: plain functions over a repository that return values. One verb, one function; nothing here prints."""
