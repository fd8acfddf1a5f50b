"""What a gateway asks the platform: a module for each kind of request, loaded for it and dropped.

Its `ask(gateway, subdevices, strict)` appends to `gateway.result` what did not succeed, and returns whether it is to be
called again, when what it left in `gateway.issued` has been stored. `strict`: a sub-device whose turn it is not is an
error, before anything is asked.
"""
