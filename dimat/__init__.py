"""Decentralised iterative merging and training: the pure algorithm library of Awase.

No I/O, no clock, no environment, no globals. The light half (`errors`, `samples`, `validation`, `parts`, `spec`, `plan`,
`topology`, `schedule`) imports no torch, so that the web API can use it.
"""
