"""The statements of the theory, each checked on the functions that training and metrics use."""
