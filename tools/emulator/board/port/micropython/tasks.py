"""`_asyncio`, on which `asyncio` stands, by the board's ticks: the Unix port's own goes by the host's."""

from time import ticks_diff, ticks_ms


class TaskQueue:
    """Tasks in the order of the ticks at which they are due; of those with the same one the first to come."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, key=None):
        """Put a task in, due at the tick `key` or now."""
        task.data = None
        task.ph_key = ticks_ms() if key is None else key
        at = len(self._tasks)
        while at and ticks_diff(self._tasks[at - 1].ph_key, task.ph_key) > 0:
            at -= 1
        self._tasks.insert(at, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """A coroutine that is run. `state`: True, a TaskQueue of those that wait for its end, or false when it has ended.

    `data`: what it waits for, or after its end what it raised. `names` are asyncio's own.
    """

    def __init__(self, coro, names):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0
        self._names = names

    def __iter__(self):
        if not self.state:
            self.state = False  # somebody saw how it ended
        elif self.state is True:
            self.state = TaskQueue()
        elif type(self.state) is not TaskQueue:
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if self.state:
            task = self._names["cur_task"]
            self.state.push(task)
            task.data = self
        elif self.data is None:
            raise StopIteration
        else:
            raise self.data

    def done(self):
        return not self.state

    def cancel(self):
        """Let it be raised CancelledError at once; what it waits for in its place. False when it has ended."""
        if not self.state:
            return False
        if self is self._names["cur_task"]:
            raise RuntimeError("can't cancel self")
        task = self
        while isinstance(task.data, Task):
            task = task.data
        queue = self._names["_task_queue"]
        if hasattr(task.data, "remove"):
            task.data.remove(task)
            queue.push(task)
        elif ticks_diff(task.ph_key, ticks_ms()) > 0:
            queue.remove(task)
            queue.push(task)
        task.data = self._names["CancelledError"]
        return True
