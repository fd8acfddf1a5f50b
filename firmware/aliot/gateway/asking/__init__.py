"""What a gateway asks the platform, in stages: modules that are loaded for it and, where memory is small, dropped at once.

Each has `run(gateway, ...)`. One request takes three of them, between which only the Gateway keeps what there is:

    register, proxy, attach, detach, login, logout, found
             put together what is to be asked next: `batch` (names, or rows), `tail` of the topic and `body`; they return
             whether there is something. They go on where the last request ended, at name number `passed`
    request  sends it, again if it has to, and waits for the answer: `reply`
    answer   what it says: of each sub-device's state, `issued` secrets, `result` for the application, and what is
             `left` of a batch, to be asked for alone: one that the platform does not take must not hold the others

gateway.md 2, 12 and 15.
"""
