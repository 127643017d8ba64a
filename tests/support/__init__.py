"""Helpers for the tests of several subjects: arrays, oracles, grids of cases, and checks."""
