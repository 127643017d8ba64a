"""What the tests of several subjects use: arrays, oracles, grids of cases, and checks."""
