"""Recipes: every decision of a run, as plain values."""
