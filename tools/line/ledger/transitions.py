"""The states of an identity on the line, and the one table of steps between them.

    free      in the ledger, no board has it
    reserved  bound to one board's MAC; the board may already hold part of it
    written   the station wrote it to the board
    verified  the station read it back from the board, and it is the same
    done      the board proved it (self-test), label and report may follow
    failed    the board failed at some step; the identity stays bound to its MAC
    void      taken out of use for good; no board gets it by itself again

Pure: states and actions are plain words.
"""

FREE = "free"
RESERVED = "reserved"
WRITTEN = "written"
VERIFIED = "verified"
DONE = "done"
FAILED = "failed"
VOID = "void"

STATES = (FREE, RESERVED, WRITTEN, VERIFIED, DONE, FAILED, VOID)
BOUND = (RESERVED, WRITTEN, VERIFIED, DONE, FAILED)  # states in which exactly one MAC holds the identity

TABLE = {
    (FREE, "reserve"): RESERVED,
    (FREE, "void"): VOID,
    # the station's way forward
    (RESERVED, "write"): WRITTEN,
    (WRITTEN, "verify"): VERIFIED,
    (VERIFIED, "finish"): DONE,
    # the same board comes back to a station: it goes on where it was
    (RESERVED, "resume"): RESERVED,
    (WRITTEN, "resume"): WRITTEN,
    (VERIFIED, "resume"): VERIFIED,
    (DONE, "resume"): DONE,
    (FAILED, "resume"): RESERVED,
    # the board does not hold what the ledger says, or not as the job wants it: the same identity once more
    (WRITTEN, "rework"): RESERVED,
    (VERIFIED, "rework"): RESERVED,
    (DONE, "rework"): RESERVED,
    # red
    (RESERVED, "fail"): FAILED,
    (WRITTEN, "fail"): FAILED,
    (VERIFIED, "fail"): FAILED,
    (DONE, "fail"): FAILED,
    # people
    (RESERVED, "void"): VOID,
    (WRITTEN, "void"): VOID,
    (VERIFIED, "void"): VOID,
    (DONE, "void"): VOID,
    (FAILED, "void"): VOID,
    (RESERVED, "release"): FREE,
    (FAILED, "release"): FREE,
    (VOID, "reopen"): RESERVED,
}

ACTIONS = tuple(sorted({action for _, action in TABLE}))


class Refused(ValueError):
    """The table has no such step; the text says which and why."""


def step(state: str, action: str, touched: bool = False) -> str:
    """The state after `action`. Raises Refused when the table has no such step.

    `touched` says that a station began to write this identity to a board: such
    an identity never becomes free again, because a board may hold it.
    """
    if action == "release" and touched:
        raise Refused(
            f"a station began to write it to a board; an identity that is {state} "
            "and may be on a board can only be voided"
        )
    try:
        return TABLE[state, action]
    except KeyError:
        allowed = [name for name in ACTIONS if (state, name) in TABLE]
        raise Refused(
            f"an identity that is {state} cannot {action}; "
            f"it can {' or '.join(allowed) if allowed else 'do nothing more'}"
        ) from None
