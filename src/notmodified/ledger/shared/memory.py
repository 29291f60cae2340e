"""A file in the memory of all processes: how many writes have ended, and who is writing now.

The protocol, of a writer: *mark* before anything is written, COMMIT, *release*: count the sequence
up, and only then take the mark away. A reader looks at the marks first, and then at the sequence:
if there are none, every write that had ended by then has been counted.

Rules of this module:

- Readers take no lock. What they read are aligned words of eight bytes, which x86 processors read
  whole, and in order; on others there is no such ledger.
- A mark outlives who made it. A lock on its byte, which ends with its process, tells whether there
  is somebody behind it; one that is left, others take away when the database says that the writer's
  session has ended: until then its COMMIT may still land.
- Who has made a mark keeps its place, and the lock on its byte, for the next one.
- The number of marks is never lower than it is: it goes up before a mark is made and down after one
  is taken away. Who takes away marks of the dead counts anew.
- The file is made whole under another name, and never cut or written over. One that was removed, or
  is no longer what it was, says nothing any more.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import platform
import secrets
import stat
import struct
import time
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple

_MAGIC: Final = 0x6E6F746D6F643031
_NAME, _SEQUENCE, _MARKS, _STAMPS = 1, 2, 3, 4
_FIRST: Final = 8
"""The first word of the first mark; those before it are the file's head."""
_WORDS_OF_A_MARK: Final = 4
_STATE, _SESSION, _STAMP = range(3)
PATIENCE: Final = 5.0
"""Seconds to wait for a lock that is held for microseconds."""
MOST_IDLE: Final = 4
"""How many places a process keeps for its next marks."""
MOST_MARKS: Final = 1_024
"""How many threads of one machine can write at a time."""
SIZE: Final = 8 * (_FIRST + MOST_MARKS * _WORDS_OF_A_MARK)
_BYTE: Final = 1 << 40
"""Where the bytes begin that are locked, far behind the end of the file."""
_FREE, _WRITING, _LOST = range(3)
_LOCK: Final = struct.Struct("hhqqi4x")
"""C's ``struct flock``, as Linux has it on 64 bits."""


class SharedMemoryError(Exception):
    """The file cannot be used; the text says what to do."""


class Mark(NamedTuple):
    """A mark that was left: where it is, what tells it from the next one there, and whose it is."""

    place: int
    stamp: int
    session: int


class SharedMemory:
    """The file at `path`, which is made if it is not there. Raises SharedMemoryError."""

    def __init__(self, path: Path) -> None:
        if platform.machine() not in ("x86_64", "AMD64") or not hasattr(fcntl, "F_OFD_SETLK"):
            raise SharedMemoryError(
                f"the ledger in shared memory works on Linux on x86-64, not on "
                f"{platform.system()} on {platform.machine()}: use LEDGER='database'"
            )
        self.path = path
        self.process = os.getpid()
        self._fd = _opened(path)
        self._map = mmap.mmap(self._fd, SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._locked = _Locked(self._fd)
        self._own: set[int] = set()
        self._idle: list[int] = []
        if self._words[0] != _MAGIC:
            self.close()
            raise SharedMemoryError(f"{path} is no ledger of ours: remove it, or name another")
        self.name = f"{self._words[_NAME]:016x}"
        """What no other file has."""

    def is_named_in(self, charge: str) -> bool:
        """Whether a charge (:meth:`new_charge`) is for this file."""
        return charge.partition(" ")[0] == self.name

    def new_charge(self) -> str:
        """What a database says when it puts this file in charge, each time something else."""
        return f"{self.name} {secrets.token_hex(8)}"

    @property
    def is_there(self) -> bool:
        """Whether it is still the file that whoever looks for it finds."""
        try:
            status = os.fstat(self._fd)
        except OSError:  # somebody has closed all files
            return False
        return status.st_nlink > 0 and status.st_size == SIZE

    @property
    def sequence(self) -> int:
        """How many writes have ended."""
        return self._words[_SEQUENCE]

    def at_rest(self) -> int | None:
        """The sequence, if it counts every write that has ended by now; ``None`` while somebody
        writes, or where the file is gone."""
        if not self.is_there or self._words[_MARKS]:
            return None
        return self._words[_SEQUENCE]

    def mark(self, session: int) -> int:
        """Say that the session of that number is about to write; the place of the mark. Raises
        SharedMemoryError."""
        if os.getpid() != self.process:
            raise SharedMemoryError(f"{self.path} was mapped by another process")
        if not self.is_there:
            raise SharedMemoryError(
                f"{self.path} is gone, by which other processes would know of this write: restart "
                f"this one"
            )
        words = self._words
        with self._locked:
            place = self._idle.pop() if self._idle else self._free_place()
            at = _at(place)
            words[_MARKS] += 1
            words[_STAMPS] += 1
            words[at + _SESSION], words[at + _STAMP] = session, words[_STAMPS]
            words[at + _STATE] = _WRITING
            self._own.add(place)
        return place

    def release(self, place: int) -> None:
        """The write is over, whether it was committed or rolled back. A mark from before a fork is
        the parent's."""
        if os.getpid() != self.process:
            return
        with self._locked:
            self._take_away(place)
            self._words[_MARKS] -= 1
            self._own.discard(place)
            if len(self._idle) < MOST_IDLE:
                self._idle.append(place)
            else:
                self._unlock_byte(place)

    def count(self) -> None:
        """Something was written that nobody has marked."""
        with self._locked:
            self._words[_SEQUENCE] += 1

    def lose(self, place: int) -> None:
        """Nobody knows whether the write has been committed, or will be: the mark stays until its
        session has ended."""
        if os.getpid() != self.process:
            return
        with self._locked:
            self._words[_at(place) + _STATE] = _LOST
            self._own.discard(place)
            self._unlock_byte(place)

    def left(self) -> list[Mark]:
        """Marks behind which there is nobody any more."""
        with self._locked:
            return [self._mark_at(place) for place in range(MOST_MARKS) if self._is_left(place)]

    def take_away(self, marks: list[Mark]) -> None:
        """Those of :meth:`left`, once their sessions have ended."""
        with self._locked:
            for mark in marks:
                if self._is_left(mark.place) and self._mark_at(mark.place) == mark:
                    self._take_away(mark.place)
            states = [self._words[_at(place) + _STATE] for place in range(MOST_MARKS)]
            self._words[_MARKS] = sum(state != _FREE for state in states)

    def close(self) -> None:
        self._words.release()
        self._map.close()
        os.close(self._fd)

    def _take_away(self, place: int) -> None:
        self._words[_SEQUENCE] += 1
        self._words[_at(place) + _STATE] = _FREE

    def _mark_at(self, place: int) -> Mark:
        at = _at(place)
        return Mark(place, self._words[at + _STAMP], self._words[at + _SESSION])

    def _free_place(self) -> int:
        """One where a mark can be made. Its byte is locked from now on."""
        for place in range(MOST_MARKS):
            is_free = self._words[_at(place) + _STATE] == _FREE and place not in self._idle
            if is_free and self._lock_byte(place):
                return place
        raise SharedMemoryError(f"more than {MOST_MARKS:,} writers at a time")

    def _is_left(self, place: int) -> bool:
        state = self._words[_at(place) + _STATE]
        if state == _WRITING and place not in self._own and self._lock_byte(place):
            self._unlock_byte(place)
            return True
        return state == _LOST

    def _lock_byte(self, place: int) -> bool:
        """Whether nobody else has locked it; each process has locks of its own."""
        try:
            self._set_lock(fcntl.F_WRLCK, place)
        except OSError:
            return False
        return True

    def _unlock_byte(self, place: int) -> None:
        self._set_lock(fcntl.F_UNLCK, place)

    def _set_lock(self, kind: int, place: int) -> None:
        lock = _LOCK.pack(kind, os.SEEK_SET, _BYTE + place, 1, 0)
        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, lock)


class _Locked:
    """As long as nobody else may change anything; ends with the process. (A class, because a
    generator costs as much as all that is done inside.)

    What takes longer than `PATIENCE` never ends: somebody was interrupted in the middle, or a
    handler of signals interrupts itself. Then it is an error, and nobody waits for ever.
    """

    __slots__ = ("_fd", "_lock")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=PATIENCE):
            raise SharedMemoryError("the lock on the file is held for ever: restart this process")
        try:
            self._lock_file()
        except BaseException:
            self._lock.release()
            raise

    def _lock_file(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SharedMemoryError(
                        "another process holds the lock on the file for ever: restart the site"
                    ) from None
            except OSError as error:
                raise SharedMemoryError(f"the file cannot be locked: {error}") from error
            time.sleep(0.0001)

    def __exit__(self, *ignored: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        self._lock.release()


def _at(place: int) -> int:
    return _FIRST + place * _WORDS_OF_A_MARK


def _opened(path: Path) -> int:
    """The file, made if it is not there, and looked at."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(mode=0o700, parents=True)
        try:
            fd = os.open(path, flags)
        except FileNotFoundError:
            _make(path)
            fd = os.open(path, flags)
    except OSError as error:
        raise SharedMemoryError(
            f"{path} cannot be opened: {error.strerror}. It belongs to whoever has made it first; "
            f"all processes of a site run as the same user"
        ) from error
    status = os.fstat(fd)
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "it is no file"
    elif status.st_uid != os.geteuid():
        problem = "it belongs to another user"
    elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem = "others may write to it"
    elif status.st_size != SIZE:
        problem = f"it has {status.st_size} bytes, not {SIZE}"
    if problem is not None:
        os.close(fd)
        raise SharedMemoryError(f"{path} cannot be used: {problem}. Stop the site, and remove it")
    return fd


def _make(path: Path) -> None:
    """Make the file whole, unless somebody else is faster."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        head = struct.pack("=QQ", _MAGIC, secrets.randbits(64))
        if os.write(fd, head.ljust(SIZE, b"\0")) != SIZE:
            raise SharedMemoryError(f"{path.parent} has no room for a file of {SIZE} bytes")
        os.fsync(fd)
        with suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.close(fd)
        os.unlink(made)
