"""Every thread has its own word: threads, tasks, generators that move, forked children, scripts.

Each test runs a program of its own that is behind the glass, and looks at it through the reader.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from isinglass.glass import layout
from probed_package import run, run_code, write

WORK = """
    from isinglass import mark

    def hold(arrived, leave):
        mark("on the way")
        arrived.wait()
        mark.waiting("to leave")
        leave.wait()

    async def step(name, mine, other, see):
        for turn in range(3):
            await mine.acquire()
            if name == "first":
                mark("first task")
            else:
                mark("second task")
            see()
            other.release()

    def numbers():
        mark("before one")
        yield 1
        mark("before two")
        yield 2
    """
# What every program begins with: it is a node, and `look()` returns what a reader sees of its
# threads that were at a mark.
LOOK = """
    import json, os, sys, threading, warnings
    from isinglass.glass import segment
    from isinglass.glass.reader import SegmentReader
    from probed import work

    joined = segment.create("alder")

    def look():
        reader = SegmentReader("alder")
        processes = reader.snapshot().processes
        reader.close()
        return [
            [process.pid, thread.name, thread.tid, thread.word, thread.index]
            + ([thread.site.line, thread.site.label, thread.site.waits] if thread.site else [])
            for process in processes for thread in process.threads if thread.word
        ]
    """
PID, NAME, TID, WORD, INDEX, LINE, LABEL, WAITS = range(8)


def program(body: str) -> str:
    return textwrap.dedent(LOOK) + textwrap.dedent(body)


def seen(tmp_path: Path, body: str) -> Any:
    """Run a program with `probed.work` and return what it prints as JSON."""
    write(tmp_path, {"work": WORK})
    return json.loads(run_code(tmp_path, program(body)))


def test_forty_threads_have_forty_words_and_give_them_back(tmp_path: Path) -> None:
    during, after = seen(
        tmp_path,
        """
        arrived, leave = threading.Barrier(41), threading.Event()
        threads = [
            threading.Thread(target=work.hold, args=(arrived, leave), name=f"worker {number}")
            for number in range(40)
        ]
        for thread in threads: thread.start()
        arrived.wait()
        while sum(len(row) > 7 and row[7] for row in look()) < 40: pass
        during = look()
        leave.set()
        for thread in threads: thread.join()
        print(json.dumps([during, look()]))
        """,
    )
    assert sorted(row[NAME] for row in during) == sorted(f"worker {n}" for n in range(40))
    assert len({row[TID] for row in during}) == len({row[INDEX] for row in during}) == 40
    assert {tuple(row[LINE:]) for row in during} == {(7, "to leave", True)}
    assert after == []


def test_the_129th_thread_shares_a_spare_word_and_lines_come_back(tmp_path: Path) -> None:
    crowd, alone = seen(
        tmp_path,
        """
        def one_more(name):
            row = []
            thread = threading.Thread(
                target=lambda: (next(work.numbers()), row.extend(look())), name=name)
            thread.start(); thread.join()
            return row
        arrived, leave = threading.Barrier(151), threading.Event()
        threads = [
            threading.Thread(target=work.hold, args=(arrived, leave)) for number in range(150)
        ]
        for thread in threads: thread.start()
        arrived.wait()
        crowd = one_more("one too many")
        leave.set()
        for thread in threads: thread.join()
        print(json.dumps([crowd, one_more("alone")]))
        """,
    )
    assert len(crowd) == layout.PROBE_LINES - 1, "the main thread has a line, but no mark"
    assert "one too many" not in {row[NAME] for row in crowd}
    assert [(row[NAME], row[LABEL]) for row in alone] == [("alone", "before one")]


def test_tasks_of_a_loop_mark_again_after_each_await(tmp_path: Path) -> None:
    labels = seen(
        tmp_path,
        """
        import asyncio
        labels = []
        async def main():
            one, two = asyncio.Semaphore(1), asyncio.Semaphore(0)
            see = lambda: labels.append(look()[0][6])
            await asyncio.gather(
                work.step("first", one, two, see), work.step("second", two, one, see))
        asyncio.run(main())
        print(json.dumps(labels))
        """,
    )
    assert labels == ["first task", "second task"] * 3


def test_a_generator_marks_the_thread_that_resumes_it(tmp_path: Path) -> None:
    rows = seen(
        tmp_path,
        """
        numbers, rows = work.numbers(), []
        next(numbers)
        def resume():
            next(numbers)
            rows.extend(look())
        thread = threading.Thread(target=resume, name="other")
        thread.start(); thread.join()
        print(json.dumps(rows))
        """,
    )
    assert {row[NAME]: row[LABEL] for row in rows} == {
        "MainThread": "before one",
        "other": "before two",
    }


def test_a_forked_child_has_a_region_of_its_own(tmp_path: Path) -> None:
    before, during, pids = seen(
        tmp_path,
        """
        numbers = work.numbers()
        next(numbers)
        before = look()
        # Python 3.12 warns of a fork beside any thread, the heartbeat's included.
        warnings.simplefilter("ignore", DeprecationWarning)
        told, tell = os.pipe()
        ended, end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(end)
            next(numbers)
            os.write(tell, b"marked")
            os.read(ended, 1)
            os._exit(0)
        os.read(told, 6)
        during = look()
        os.close(end)
        os.waitpid(child, 0)
        print(json.dumps([before, during, [os.getpid(), child]]))
        """,
    )
    parent, child = pids
    assert [(row[PID], row[LABEL]) for row in before] == [(parent, "before one")]
    assert {(row[PID], row[TID], row[LABEL]) for row in during} == {
        (parent, parent, "before one"),
        (child, child, "before two"),
    }


# ---------------------------------------------------------------------- marks that are calls
def test_a_script_that_nothing_instruments_shows_its_marks_too(tmp_path: Path) -> None:
    write(tmp_path, {"work": ""})
    body = """
        from isinglass import mark
        def serve():
            mark("serving")
            rows.extend(look())
            mark.waiting("for more")
            rows.extend(look())
        rows = []
        serve()
        print(json.dumps(rows))
        """
    (tmp_path / "script.py").write_text(program(body))
    rows = json.loads(run(tmp_path, "script.py"))
    assert [(row[LABEL], row[WAITS]) for row in rows] == [("serving", False), ("for more", True)]
    source = (tmp_path / "script.py").read_text().splitlines()
    assert 'mark("serving")' in source[rows[0][LINE] - 1]


def test_code_without_a_source_file_shows_line_and_label(tmp_path: Path) -> None:
    rows = seen(
        tmp_path,
        """
        from isinglass import mark
        rows = []
        mark("by dash c")
        rows += look()
        exec("\\n\\nmark.waiting('in exec')", {"mark": mark, "__name__": "made"})
        rows += look()
        print(json.dumps(rows))
        """,
    )
    assert [row[LABEL] for row in rows] == ["by dash c", "in exec"]
    assert rows[1][LINE:] == [3, "in exec", True]


def test_code_made_without_end_stays_within_limits(tmp_path: Path) -> None:
    known, places, last = seen(
        tmp_path,
        """
        from isinglass import mark
        from isinglass.glass import probe
        lines = "\\n".join(f"mark('label {number}')" for number in range(200))
        for turn in range(60):
            exec(lines, {"mark": mark, "__name__": "made"})
        reader = SegmentReader("alder")
        files = reader.snapshot().processes[0].files.values()
        (file,) = [file for file in files if file.path == "<string>"]
        print(json.dumps([len(file.sites), len(mark._constants), look()[0]]))
        """,
    )
    assert known == 32, "LOOSE_SITES_LIMIT"
    assert 0 < places <= 8192, "PLACES_LIMIT"
    assert last[LINE:] == [200, "", False], "a line that did not fit shows as its number"


def test_a_mark_is_safe_before_and_after_the_glass(tmp_path: Path) -> None:
    labels = seen(
        tmp_path,
        """
        numbers = work.numbers()
        joined.close()
        next(numbers)
        joined = segment.create("alder")
        labels = [look()[0][6]]
        next(numbers)
        labels.append(look()[0][6])
        joined.close()
        list(work.numbers())
        print(json.dumps(labels))
        """,
    )
    assert labels == ["before one", "before two"]
