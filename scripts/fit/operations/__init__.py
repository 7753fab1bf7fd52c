"""Efficiencies of single operations, GPU by GPU, fitted to the tables of the same wheel: what no end-to-end row saw."""
