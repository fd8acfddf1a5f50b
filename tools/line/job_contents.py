"""The files that a job names, read once, and what of them goes onto a board."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace

from tools.errors import UserError
from tools.flash import file_list, leaks
from tools.image import application, config, device_files, updates
from tools.image import flash_image as layouts
from tools.line.job import Job, read


def contents(job: Job) -> dict[str, bytes]:
    """{name: bytes} of every file that a job names: firmware, each root and key, each file of the tree.

    These bytes are what is verified and what goes onto boards: no path of a job is read a second time.
    """
    found = {}
    if job.firmware:
        found["firmware"] = read(job.firmware)
    if job.config:
        found["config"] = read(job.config)
    for kind, paths in (("root", job.roots), ("key", job.ota_keys)):
        for path in paths:
            found[_free(f"{kind} {os.path.basename(path)}", found)] = read(path)
    if job.platform_key:
        found["platform key"] = read(job.platform_key)
    if job.files:
        if not os.path.isdir(job.files):
            raise UserError(f"there is no folder {job.files}")
        found.update({f"file {name}": data for name, data in application.read(job.files).sources.items()})
    return found


def _free(name, taken):
    """`name`, or with the first number behind it that is free: two roots may have one file name."""
    numbers = (f"{name} ({number})" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(other for other in numbers if other not in taken)


def hashes(job: Job) -> dict[str, str]:
    """{name: SHA-256 hex} of every file that a job names, see `contents`."""
    return digests(contents(job))


def digests(held: Mapping[str, bytes]) -> dict[str, str]:
    """{name: SHA-256 hex} of those files."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in held.items()}


def with_tree(job: Job) -> Job:
    """The Job with the files that it brings onto a board: the release's, compiled, and over them its own.

    A job with neither firmware nor files brings none: it burns identities into
    boards that run already. UserError when a file holds something like a secret.
    """
    if not job.firmware and not job.files:
        return job
    everything = contents(job) if job.held is None else job.held
    own = {name[5:]: data for name, data in everything.items() if name.startswith("file ")}
    leaks.refuse(own)
    tree, sources = device_files.compile_tree(), {}
    with tempfile.TemporaryDirectory(prefix="aliot-job-") as folder:
        if job.files:
            brought = application.plain(own)
            brought.update(device_files.compile_tree(_lay_out(os.path.join(folder, "files"), own), names=own))
            sources.update(dict.fromkeys(brought, file_list.FILES))
            tree.update(brought)
        held = {name[5:]: data for name, data in everything.items() if name.startswith("root ")}
        if job.config:
            if config.PATH in tree:
                raise UserError(f"job {job.name} has a config and files/config.json: leave one of them away")
            tree[config.PATH] = _config(folder, os.path.basename(job.config), everything["config"])
            sources[config.PATH] = file_list.CONFIG
        roots = _roots(os.path.join(folder, "roots"), held, tree)
        sources.update(dict.fromkeys(roots, file_list.ROOT))
        keys = _keys(os.path.join(folder, "keys"), everything)
        sources.update(dict.fromkeys(keys, file_list.KEY))
        tree.update(roots | keys)
    return replace(job, held=everything, tree=tree, sources=sources)


def _config(folder, name, data):
    """What a board reads of a config.json, checked by the board's own table."""
    path = os.path.join(_lay_out(folder, {name: data}), name)
    try:
        return json.dumps(config.read(path), ensure_ascii=False).encode()
    except UserError as error:
        raise UserError(str(error).replace(path, name)) from None


def _roots(folder, held, tree):
    """{path on the board: DER bytes} of every root of the files `held` {file name: bytes}, beside what is in `tree`."""
    _lay_out(folder, held)
    try:
        return layouts.root_files([os.path.join(folder, name) for name in held], tree)
    except UserError as error:
        raise UserError(str(error).replace(folder + os.sep, "")) from None


def _keys(folder, everything):
    """{path on the board: bytes} of the public keys among the files of a job."""
    held = {name[4:]: data for name, data in everything.items() if name.startswith("key ")}
    _lay_out(folder, held)
    paths = [os.path.join(folder, name) for name in held]
    platform = None
    if "platform key" in everything:
        platform = os.path.join(_lay_out(folder + "/platform", {"key": everything["platform key"]}), "key")
    try:
        return updates.key_files(paths, platform)
    except UserError as error:
        raise UserError(str(error).replace(folder + os.sep, "")) from None


def _lay_out(folder, held):
    """The folder, made with those files {path in it: bytes}: the compiler works on files."""
    os.makedirs(folder, exist_ok=True)
    for name, data in held.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        with open(os.path.join(folder, name), "xb") as file:
            file.write(data)
    return folder
