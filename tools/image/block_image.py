"""An image of which blocks are fetched when they are looked at: a board's flash is slow to read."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

BLOCK = 4096  # bytes


class Image:
    """A file system of `size` bytes whose blocks come from `fetch(offset, length)`, each at most once.

    littlefs cannot be told that a block could not be had: `failure` is what `fetch` raised meanwhile.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        self.size = size
        self.failure: Exception | None = None
        self._fetch = fetch
        self._blocks: dict[int, bytes] = {}

    @classmethod
    def of(cls, image: "Image | bytes") -> "Image":
        """An `Image`, from itself or from bytes."""
        if isinstance(image, Image):
            return image
        return cls(len(image), lambda at, length: image[at : at + length])

    def block(self, number: int) -> bytes:
        if number not in self._blocks:
            try:
                self._blocks[number] = bytes(self._fetch(number * BLOCK, BLOCK))
            except Exception as error:
                self.failure = error
                raise
        return self._blocks[number]


_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def fetched(
    function: Callable[Concatenate[Image, _Given], _Made],
) -> Callable[Concatenate[Image | bytes, _Given], _Made]:
    """Of an image's blocks: what fetching them raised ends the call, whatever littlefs made of what it was given."""

    @functools.wraps(function)
    def call(image: Image | bytes, /, *args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        image = Image.of(image)
        try:
            return function(image, *args, **kwargs)
        finally:
            failure, image.failure = image.failure, None
            if failure:
                raise failure

    return call
