"""Analyses: tensor to result."""
