"""Records: which images, containers and volumes exist; a contract, and SQLite behind it."""
