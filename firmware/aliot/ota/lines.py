"""The lines of a manifest in flash (tools/ota/manifest.py), one by one: nothing of a size is held."""


def lines(path):
    """The lines of a manifest: [name, rest], for a file ["file", size, SHA-256, path]."""
    with open(path, "rb") as file:
        while True:
            line = file.readline()
            if not line:
                return
            count = 3 if line[:5] == b"file " else 1
            yield line.decode().rstrip("\n").split(" ", count)


def files(path):
    """(size, SHA-256 in hex, path in the tree) of each file that a manifest lists. ValueError for a path elsewhere."""
    for line in lines(path):
        if line[0] == "file":
            name = line[3]
            if name[0] == "/" or b".." in name.encode().split(b"/"):
                raise ValueError(name)
            yield int(line[1]), line[2], name
