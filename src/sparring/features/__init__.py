"""What metrics look at: extractors that turn items into features. Start at `choose`."""
