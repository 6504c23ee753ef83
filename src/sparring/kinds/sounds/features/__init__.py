"""What sounds are judged by."""
