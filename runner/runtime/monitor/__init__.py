"""The monitor: conmon, which outlives the daemon, and the daemon's handle on what it watches."""
