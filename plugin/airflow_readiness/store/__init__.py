"""Postgres: the schema, its migrations, the queries, and one thin module that runs them."""
