"""How fast, as ratios within one run: `make bench`, or `python -m bench --quick`.

    machines   a folder of its own: embedded PostgreSQL, keys, the real letterbox, the real `canbao settle`
    seed       people, enrolments, bills, orders and payments, by the set
    notices    what WeChat Pay would send: sealed, and signed with a key made for this run
    load       keep-alive sockets in processes of their own
    handlers   what the door is held against: an empty Flask handler, and one that verifies and keeps nothing
    cases      what is measured; each round runs every case once, and medians are told
    assess     bills for a month against a COPY of the same rows

Load, app and database share one machine, so absolute numbers say little about another one. Ratios say more.
"""
