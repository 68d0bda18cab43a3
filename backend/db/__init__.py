"""The database: session, tables. SQL itself is written in the repositories of the nouns."""
