"""The file that processes share: who writes, what has ended, and what the dead leave behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from notmodified.ledger.shared import memory as module
from notmodified.ledger.shared.memory import MOST_MARKS, SIZE, SharedMemory, SharedMemoryError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a directory" / "file"


PROGRAM = """
import os, sys
from pathlib import Path
from notmodified.ledger.shared import memory as module
memory = module.SharedMemory(Path({path!r}))
{code}
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(path: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """Python with `memory` open, which runs `code`, and then waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(path=str(path), code=code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said_by(process: subprocess.Popen[str]) -> str:
    """The next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def waiting(path: Path, code: str) -> Iterator[subprocess.Popen[str]]:
    """The same, once it has run `code`."""
    with another_process(path, code) as process:
        assert said_by(process) == "ready"
        yield process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_write_is_marked_and_then_counted(path: Path) -> None:
    memory, other = SharedMemory(path), SharedMemory(path)
    assert other.at_rest() == 0
    place = memory.mark(7)
    assert other.at_rest() is None
    memory.release(place)
    assert other.at_rest() == 1


def test_two_writers_are_told_apart(path: Path) -> None:
    memory, other = SharedMemory(path), SharedMemory(path)
    first, second = memory.mark(1), other.mark(2)
    memory.release(first)
    assert memory.at_rest() is None
    other.release(second)
    assert memory.at_rest() == 2


def test_the_mark_of_a_process_that_lives_is_nobody_else_s(path: Path) -> None:
    memory = SharedMemory(path)
    with waiting(path, "memory.mark(7)"):
        assert memory.left() == []
        memory.take_away([])
        assert memory.at_rest() is None


def test_the_mark_of_a_process_that_was_killed_is_left_to_the_others(path: Path) -> None:
    memory = SharedMemory(path)
    with waiting(path, "memory.mark(7)") as process:
        kill(process)
        [mark] = memory.left()
        assert mark.session == 7
        assert memory.at_rest() is None, "it stays until its session has ended"
        memory.take_away([mark])
        assert memory.at_rest() == 1, "what it has written may have been committed"
        assert memory.left() == []


def test_a_mark_that_is_there_again_is_not_taken_away(path: Path) -> None:
    memory = SharedMemory(path)
    with waiting(path, "memory.mark(7)") as process:
        kill(process)
        [mark] = memory.left()
    memory.take_away([mark])
    with waiting(path, "memory.mark(7)"):
        memory.take_away([mark])
        assert memory.at_rest() is None


def test_a_mark_whose_end_nobody_knows(path: Path) -> None:
    memory = SharedMemory(path)
    memory.lose(memory.mark(9))
    assert memory.at_rest() is None
    [mark] = SharedMemory(path).left()
    assert mark.session == 9
    memory.take_away([mark])
    assert memory.at_rest() == 1


FORK = """
memory.mark(7)
closed, close = os.pipe()
child = os.fork()
if child == 0:
    memory.close()
    os.write(close, b"x")
    import time
    time.sleep(60)
    os._exit(0)
os.read(closed, 1)
print(child, flush=True)
"""


def test_a_child_has_no_part_in_its_parent_s_marks(path: Path) -> None:
    memory = SharedMemory(path)
    with another_process(path, FORK) as process:
        child = int(said_by(process))
        kill(process)
        try:
            assert [mark.session for mark in memory.left()] == [7]
        finally:
            os.kill(child, signal.SIGKILL)


DYING = """
class Words:
    def __init__(self, words, stores):
        self.words, self.stores = words, stores
    def __getitem__(self, at):
        return self.words[at]
    def __setitem__(self, at, value):
        if self.stores == 0:
            os.kill(os.getpid(), 9)
        self.stores -= 1
        self.words[at] = value
"""


def die(path: Path, code: str) -> None:
    with another_process(path, DYING + code) as process:
        assert process.wait(20) == -signal.SIGKILL


@pytest.mark.parametrize("stores", range(5))
def test_whoever_dies_while_it_marks_leaves_nothing_for_good(stores: int, path: Path) -> None:
    """After any number of words that it has written; the lock on the file ends with it."""
    memory = SharedMemory(path)
    die(path, f"memory._words = Words(memory._words, {stores}); memory.mark(7)")
    memory.take_away(memory.left())
    assert memory.at_rest() is not None
    memory.release(memory.mark(1))
    assert memory.at_rest() == memory.sequence


@pytest.mark.parametrize("stores", range(3))
def test_whoever_dies_while_it_releases_has_counted_or_is_counted(stores: int, path: Path) -> None:
    memory = SharedMemory(path)
    before = memory.sequence
    die(
        path,
        f"place = memory.mark(7); memory._words = Words(memory._words, {stores}); "
        "memory.release(place)",
    )
    assert memory.at_rest() is None
    memory.take_away(memory.left())
    found = memory.at_rest()
    assert found is not None
    assert found > before


def test_there_is_room_for_many_writers_and_no_more(path: Path) -> None:
    memory = SharedMemory(path)
    places = [memory.mark(number) for number in range(MOST_MARKS)]
    with pytest.raises(SharedMemoryError, match="writers at a time"):
        memory.mark(1)
    for place in places:
        memory.release(place)
    assert memory.at_rest() == MOST_MARKS


def test_no_process_keeps_many_places(path: Path) -> None:
    """Else those who write seldom would have none."""
    memory = SharedMemory(path)
    for place in [memory.mark(number) for number in range(40)]:
        memory.release(place)
    other = SharedMemory(path)
    assert len([other.mark(number) for number in range(MOST_MARKS - module.MOST_IDLE)])


def test_a_lock_that_is_held_for_ever_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody was interrupted in the middle: nobody waits for ever."""
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    memory, other = SharedMemory(path), SharedMemory(path)
    with memory._locked:
        with pytest.raises(SharedMemoryError, match="restart the site"):
            other.mark(1)
        with pytest.raises(SharedMemoryError, match="restart this process"):
            memory.mark(1)
    other.release(other.mark(1))


def test_after_a_fork_that_python_was_not_told_of(path: Path) -> None:
    memory = SharedMemory(path)
    place = memory.mark(1)
    memory.process += 1
    with pytest.raises(SharedMemoryError, match="by another process"):
        memory.mark(1)
    memory.release(place)
    memory.lose(place)
    assert SharedMemory(path).at_rest() is None, "it is the parent's"


def test_threads_and_processes_count_every_write(path: Path) -> None:
    memory = SharedMemory(path)
    code = "for _ in range(500):\n    memory.release(memory.mark(1))"

    def write() -> None:
        for _ in range(500):
            memory.release(memory.mark(1))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    with waiting(path, code), waiting(path, code):
        for thread in threads:
            thread.join()
        assert memory.at_rest() == 2_500


# The file


def test_one_that_was_removed_says_nothing_any_more(path: Path) -> None:
    memory = SharedMemory(path)
    path.unlink()
    assert memory.at_rest() is None
    with pytest.raises(SharedMemoryError, match="restart"):
        memory.mark(1)
    assert SharedMemory(path).name != memory.name


def test_one_that_somebody_has_closed_says_nothing_any_more(path: Path) -> None:
    """As programs do that make themselves daemons: a page is then asked about, and no error."""
    memory = SharedMemory(path)
    os.close(memory._fd)
    assert memory.at_rest() is None
    with pytest.raises(SharedMemoryError, match="restart"):
        memory.mark(1)


def _shorter(path: Path) -> None:
    path.write_bytes(b"x" * (SIZE - 1))


def _of_another_program(path: Path) -> None:
    path.write_bytes(b"x" * SIZE)


def _for_all(path: Path) -> None:
    path.chmod(0o666)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("spoil", [_shorter, _of_another_program, _for_all, _directory, _link])
def test_one_that_is_not_right_is_refused(spoil: Callable[[Path], None], path: Path) -> None:
    SharedMemory(path).close()
    spoil(path)
    with pytest.raises(SharedMemoryError, match=str(path)):
        SharedMemory(path)


def test_one_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SharedMemory(path).close()
    monkeypatch.setattr(module.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(SharedMemoryError, match="another user"):
        SharedMemory(path)


def test_nobody_else_may_read_it(path: Path) -> None:
    SharedMemory(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name], "nothing is left over"


def test_two_that_make_it_at_once_have_the_same(path: Path) -> None:
    found: list[SharedMemory] = []
    threads = [threading.Thread(target=lambda: found.append(SharedMemory(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({memory.name for memory in found}) == 1


def test_on_other_processors_there_is_none(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    with pytest.raises(SharedMemoryError, match="use LEDGER='database'"):
        SharedMemory(path)
