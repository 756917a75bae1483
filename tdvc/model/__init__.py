"""What an annotation means: instances and their sets, geometry, schema, media types. Knows no storage."""
