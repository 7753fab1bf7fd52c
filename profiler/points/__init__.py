"""A user's questions and numbers: tables of points in (CSV, AIPerf), answers out, measurements that shift estimates.

`tables` -> `cells` -> `questions` (and `rates`) -> `answers` (and `reasons`), of one point the `parts` of its times;
`measured_files` (and `aiperf`) -> `measured` -> `correction`. Empty of imports: reading a table needs no numpy, and the
CLI pays only for what a command uses.
"""
