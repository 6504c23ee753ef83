"""The parts of `benchmarks.compare_checkouts`."""
