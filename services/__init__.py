"""THE HOUSE: use cases, steps and pure rules.

The first argument tells: `ports` = a use case, owns its transactions; `session` = a step, joins one and never commits;
neither = pure. No provider is called while a transaction is open.
"""
