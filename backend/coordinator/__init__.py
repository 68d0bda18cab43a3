"""Drives runs: takes reports, decides what is next, sends steps. The only writer of steps and events.

The process
    main       the process: the lock, the loop; `lock`: that there is one; `daily`: cleaning beside the loop
    turn       one turn of the loop: take, commit, send; `changes`: what it collects; `apart`: what keeps one run's trouble from the others
    clock      the time it waits by, and whether that jumped; `listening`: since when somebody coordinates
    ports      what is needed of a broker; `broker` is Celery over Redis

What reports change
    ingest     all of them; `known`: the rows a batch is about; `beats`: signs of life; `presence`: sites that come and go, told
    ledger     what went over links; `matches`: whether a round's matches agree around the graph

What follows
    advance    what a change makes possible; `endings`: how runs, steps and attempts end
    amending   amendments that were asked for
    timers     rounds that a timetable opens; `rounds_due`: when; `windows`: sites that take work at certain times
    reaper     what time alone decides: leases, lost messages, silence
    silence    what becomes of runs that wait for silent sites

What is sent
    dispatch   rows to messages; `plans`: what each step of a run is told; `memory`: plans, remembered
    taking_turns  which steps first, where several pilots share a site

SQL: `repository` (steps), `runs_repository`, `sites_repository`, `silence_repository`, `known_repository` (what reports name),
`restart_repository` (what a new run takes over).
"""
