"""ContainerDeps thing 4: other registries, spoken to over the distribution protocol."""
