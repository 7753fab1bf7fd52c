"""Fit `profiler/data/coefficients.json` and report its accuracy: `python -m scripts.fit --help`. Not shipped."""
