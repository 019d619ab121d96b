"""ContainerDeps thing 1: the OCI runtime, and the monitor that outlives the daemon."""
