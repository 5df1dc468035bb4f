"""A month of life in the real house against the sandbox, in process time: `canbao simulate`.

place        a database, a sandbox process, the house and its letterbox, and one clock for all of them
diary        what happens when, in order; whoever acts may write more into it
town         who lives there, and how each of them pays
chances      whatever is left to chance, told by the seed alone
ways         one file for each way of paying, all behind one protocol
house        what the settle loop and the worker do, at the moments when they are due
office       what the staff do: refunds, parked notices, differences, signatures
authorities  the tax authority's and the registrar's lists
verdict      the books against the money: the only judge
month        the days, one after the other
"""
