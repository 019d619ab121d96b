"""Run work concurrently and in threads, with correct cancellation."""
