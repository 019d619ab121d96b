"""The OCI runtime, and the monitor that outlives the daemon."""
