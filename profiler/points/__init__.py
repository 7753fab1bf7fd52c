"""A user's questions and numbers: tables of points in (CSV, AIPerf), answers out, measurements that shift estimates.

Empty of imports: reading a table needs no numpy, and the CLI pays only for what a command uses.
"""
