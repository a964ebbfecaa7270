"""`make soak`: faults of every kind for an hour, while people browse and review; nothing may fail,
and the memory of the server stays flat. `SOAK=120` makes it two minutes.

Each module named `..._check` causes one kind of fault and compares what follows with what must
hold. A check is a function `check(sample, folder, random, outcomes)`: `sample` is an intact
workspace that it may copy, `folder` is empty and removed afterwards.
"""
