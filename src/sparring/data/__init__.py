"""Files to tensors and back, and the order in which training sees them."""
