"""Other registries, spoken to over the distribution protocol."""
