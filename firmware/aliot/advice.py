"""What to do about an error: one sentence for each code, out of advice.txt beside this file; tools read it too.

The file is read line by line: as a table of a module its texts would be 7 KB of the heap just when something is wrong.
"""

FILE = "aliot/advice.txt"  # of the tree that runs, which is the current folder


def advice(code):
    """The sentence for an error's code, else for what stands before its last dot; empty when there is none."""
    wanted = [code]
    while "." in code:
        code = code[: code.rfind(".")]
        wanted.append(code)
    best = len(wanted)
    found = ""
    try:
        with open(FILE) as file:
            for line in file:
                for at in range(best):
                    if "|" + wanted[at] + "|" in line:
                        best = at
                        found = line[line.rfind("|") + 1 :].strip()
    except OSError:
        pass
    return found
