"""What metrics look at: extractors that turn items into features.

They are found by name in `evaluation.extractors`.
"""
