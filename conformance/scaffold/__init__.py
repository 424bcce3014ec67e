"""Scaffolding: a provider pack made from an OpenAPI file, with what was guessed and what is left to do."""
