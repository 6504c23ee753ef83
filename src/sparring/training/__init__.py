"""The game: one step, what it changes, and the loop around it.

Knows nothing of images, files or recipes: data and networks come in as values.
"""
