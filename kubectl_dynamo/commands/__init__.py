"""One file per verb, loaded only when it is typed. Each reads in three steps: parse, call, print."""
