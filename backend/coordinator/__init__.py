"""Drives runs: takes reports, decides what is next, sends steps. The only writer of steps and events.

main       the process: lock, loop
turn       one turn of the loop: take, commit, send
ingest     what a report changes; `known`: the rows a batch is about; `beats`: signs of life
advance    what a change makes possible
endings    how runs and attempts end
reaper     what time alone decides
silence    what becomes of runs that wait for silent sites
dispatch   rows to messages
ports      what is needed of a broker; `broker` is Celery over Redis
"""
