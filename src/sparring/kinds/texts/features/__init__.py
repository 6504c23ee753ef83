"""What texts are judged by."""
