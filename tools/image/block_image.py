"""An image whose blocks are fetched only when they are read, since a board's flash is slow."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

BLOCK = 4096  # bytes


class Image:
    """A file system of `size` bytes whose blocks come from `fetch(offset, length)`, each at most once.

    littlefs cannot report why a block is missing: `failure` is the exception that `fetch` raised.
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
    """Make a function of an `Image` or bytes raise what `fetch` raised, whatever littlefs reported about the block."""

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
