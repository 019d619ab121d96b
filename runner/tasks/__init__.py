"""Running work side by side and in threads, cancellation included."""
