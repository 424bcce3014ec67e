"""OpenAPI files: read with the place of every member, references followed, schemas brought into one dialect."""
