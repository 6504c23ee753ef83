"""Generators and discriminators, built from a spec; one class per architecture."""
