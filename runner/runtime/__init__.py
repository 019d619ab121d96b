"""The OCI runtime (runc) and the container monitor (conmon), which outlives the daemon."""
