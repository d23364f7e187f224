"""The import hook: who is instrumented, what is cached, and that a start with a cache is cheap."""

from __future__ import annotations

import ast
import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from isinglass.glass import hook, marks, rewrite
from isinglass.glass.hook import FORMAT
from isinglass.glass.sites import MODULE_IDS, home_id
from probed_package import run, run_code, write

WORK = """
    '''A module with a mark.'''
    from isinglass import mark

    def work():
        mark("at work")
        return 1

    if __name__ == "__main__":
        work()
        from isinglass.glass.probe import this_thread
        print(__isinglass_sites__[3], this_thread.word[0] & 0xFFFF, __cached__)
    """
SHOW_IF_STORES = """
    from probed import work
    print("_isinglass_word" in work.work.__code__.co_varnames, work.work())
    """
IS_REWRITTEN, IS_A_CALL = "True 1\n", "False 1\n"


def cached_files(package: Path) -> list[str]:
    return sorted(path.name for path in (package / "__pycache__").glob("work.*"))


def cache_name(switch: int, level: str = "") -> str:
    return f"work.{sys.implementation.cache_tag}.opt-probes{switch}f{FORMAT}{level}.pyc"


def test_one_line_in_the_package_instruments_its_later_modules(tmp_path: Path) -> None:
    write(tmp_path, {"work": WORK})
    assert run_code(tmp_path, SHOW_IF_STORES) == IS_REWRITTEN


def test_one_line_in_the_program_instruments_a_package_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, {"work": WORK, "deep/__init__": "", "deep/work": WORK}, initial="")
    (tmp_path / "probed_too.py").write_text((tmp_path / "probed/work.py").read_text())
    code = """
        import isinglass, sys
        isinglass.instrument("probed"); isinglass.instrument("probed")
        print(sum(type(f).__module__ == "isinglass.glass.hook" for f in sys.meta_path))
        import probed.deep.work, probed.work, probed_too, json
        for module in probed.deep.work, probed.work, probed_too:
            print("_isinglass_word" in module.work.__code__.co_varnames)
        for module in probed, probed.work, probed_too, json:
            print(type(module.__spec__.loader).__name__)
        """
    assert run_code(tmp_path, code).split() == [
        "1", "True", "True", "False", "ProbeLoader", "ProbeLoader", "SourceFileLoader",
        "SourceFileLoader",
    ]  # fmt: skip


def test_without_instrument_a_mark_is_a_call(tmp_path: Path) -> None:
    write(tmp_path, {"work": WORK}, initial="")
    assert run_code(tmp_path, SHOW_IF_STORES) == IS_A_CALL


def test_a_module_run_with_dash_m_is_instrumented(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    printed = run(tmp_path, "-m", "probed.work")
    cached = package / "__pycache__" / cache_name(1)
    assert printed == f"((6, 'work', 'at work', False),) 6 {cached}\n"


def test_the_glass_itself_is_left_to_the_ordinary_loader(tmp_path: Path) -> None:
    code = """
        import isinglass
        isinglass.instrument("isinglass")
        import isinglass.glass.catalog, isinglass.clock
        print(type(isinglass.glass.catalog.__spec__.loader).__name__)
        print(type(isinglass.clock.__spec__.loader).__name__)
        """
    assert run_code(tmp_path, code).split() == ["SourceFileLoader", "ProbeLoader"]


# ---------------------------------------------------------------------- the cache
def test_the_second_import_reads_the_cache_and_imports_no_parser(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    code = SHOW_IF_STORES + "\n    import sys; print('ast' in sys.modules)\n"
    assert run_code(tmp_path, code) == IS_REWRITTEN + "True\n"
    assert cached_files(package) == [cache_name(1)]
    assert run_code(tmp_path, code) == IS_REWRITTEN + "False\n"


def test_the_cache_follows_the_source(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    run_code(tmp_path, SHOW_IF_STORES)
    source = package / "work.py"
    before = source.stat()
    source.write_text(source.read_text().replace("return 1", "return 2"))
    os.utime(source, (before.st_atime, before.st_mtime + 10))
    assert run_code(tmp_path, SHOW_IF_STORES) == "True 2\n"
    later = source.stat()
    source.write_text(source.read_text().replace("return 2", "return 345"))
    os.utime(source, ns=(later.st_atime_ns, later.st_mtime_ns))
    assert run_code(tmp_path, SHOW_IF_STORES) == "True 345\n", "same time, another size"


@pytest.mark.parametrize(
    "damage", [b"", b"short", b"\0" * 400, None], ids=["empty", "short", "zeros", "cut"]
)
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    package = write(tmp_path, {"work": WORK})
    run_code(tmp_path, SHOW_IF_STORES)
    cached = package / "__pycache__" / cache_name(1)
    whole = cached.read_bytes()
    cached.write_bytes(whole[:40] if damage is None else damage)
    assert run_code(tmp_path, SHOW_IF_STORES) == IS_REWRITTEN
    assert cached.read_bytes()[:16] == whole[:16]
    assert marshal.loads(cached.read_bytes()[16:]).co_filename == str(package / "work.py")


def test_a_moved_tree_shows_its_new_place_in_tracebacks(tmp_path: Path) -> None:
    old = tmp_path / "old"
    write(old, {"work": WORK})
    run_code(old, SHOW_IF_STORES)
    new = old.rename(tmp_path / "new")
    code = "from probed import work; print(work.work.__code__.co_filename)"
    assert run_code(new, code) == f"{new / 'probed/work.py'}\n"


def test_on_and_off_and_optimised_are_cached_apart(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    assert run_code(tmp_path, SHOW_IF_STORES, ISINGLASS_PROBES="0") == IS_A_CALL
    assert run_code(tmp_path, SHOW_IF_STORES, PYTHONOPTIMIZE="2") == IS_REWRITTEN
    assert run_code(tmp_path, SHOW_IF_STORES) == IS_REWRITTEN
    assert run_code(tmp_path, SHOW_IF_STORES, ISINGLASS_PROBES="0") == IS_A_CALL
    assert cached_files(package) == sorted([cache_name(0), cache_name(1), cache_name(1, "o2")])


def test_nothing_is_cached_where_python_must_not_or_cannot(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    assert run_code(tmp_path, SHOW_IF_STORES, PYTHONDONTWRITEBYTECODE="1") == IS_REWRITTEN
    assert not (package / "__pycache__").exists()
    (package / "__pycache__").write_text("a file where the directory should be")
    assert run_code(tmp_path, SHOW_IF_STORES) == IS_REWRITTEN


def test_the_cache_has_the_permissions_of_its_source(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK})
    (package / "work.py").chmod(0o600)
    run_code(tmp_path, SHOW_IF_STORES)
    assert (package / "__pycache__" / cache_name(1)).stat().st_mode & 0o777 == 0o600


def test_a_module_without_marks_keeps_its_ordinary_cache(tmp_path: Path) -> None:
    package = write(tmp_path, {"plain": "VALUE = 1\n"})
    assert run_code(tmp_path, "from probed import plain; print(plain.VALUE)") == "1\n"
    names = [path.name for path in (package / "__pycache__").glob("plain.*")]
    assert names == [f"plain.{sys.implementation.cache_tag}.pyc"]


# ---------------------------------------------------------------------- switched off
def test_switched_off_no_trace_is_left(tmp_path: Path) -> None:
    write(tmp_path, {"work": WORK, "plain": WORK.replace('mark("at work")', "")})
    code = """
        import sys
        from probed import plain, work
        print(work.work.__code__.co_code == plain.work.__code__.co_code)
        print("_isinglass_thread" in vars(work) or "__isinglass_sites__" in vars(work))
        work.mark("a call"); work.mark.waiting("another")
        from isinglass.glass.probe import this_thread
        print(this_thread.word[0])
        """
    assert run_code(tmp_path, code, ISINGLASS_PROBES="0").split() == ["True", "False", "0"]
    assert run_code(tmp_path, code).split()[:2] == ["False", "True"]


# ---------------------------------------------------------------------- module numbers
def test_two_modules_with_one_number_get_two(tmp_path: Path) -> None:
    wanted, names = home_id("probed.work"), (f"m{number}" for number in range(1_000_000))
    twin = next(name for name in names if home_id(f"probed.{name}") == wanted)
    package = write(tmp_path, {"work": WORK, twin: WORK})
    code = f"""
        from probed import work, {twin} as twin
        from isinglass.glass.probe import this_thread
        ids = []
        for module in work, twin:
            module.work()
            assert this_thread.word[0] & 0xFFFF == 6
            assert this_thread.word[0] >> 16 == module.__isinglass_sites__[1]
            ids.append(this_thread.word[0] >> 16)
        print(ids)
        """
    following = wanted % (MODULE_IDS - 1) + 1
    for _ in range(2):
        assert run_code(tmp_path, code) == f"[{wanted}, {following}]\n"
    assert len(list((package / "__pycache__").glob(f"{twin}.*"))) == 1, "only its own number's"


def test_all_module_numbers_fit_the_word() -> None:
    ids = {home_id(f"package.module_{number}") for number in range(200_000)}
    assert ids == set(range(1, MODULE_IDS))


PRODUCT = {
    ".".join(path.relative_to(root).with_suffix("").parts): path
    for root in (Path(__file__).parents[2] / name for name in ("daemon", "monitor", "console"))
    for path in root.rglob("*.py")
}


def test_modules_of_the_product_have_numbers_of_their_own() -> None:
    ids = {home_id(name): name for name in PRODUCT}
    assert len(ids) == len(PRODUCT), "two modules collide: each start compiles one of them again"


def test_no_mark_of_the_product_stays_a_call() -> None:
    for path in PRODUCT.values():
        source = path.read_bytes()
        names = marks.mark_names(ast.parse(source))
        calls = marks.MarkVisitor(names).run(rewrite.with_stores(source, str(path), 1))
        assert calls == (), f"{path} has marks whose label is not a literal"


# ---------------------------------------------------------------------- other ways to import
def test_a_package_under_a_name_that_is_no_utf_8_is_imported(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    write(place, {"work": WORK.replace("at work", "at \\udce9 work")})
    assert run_code(place, SHOW_IF_STORES) == IS_REWRITTEN
    code = """
        import sys
        sys.path.insert(0, "probed")
        import work  # not instrumented: its marks are calls
        from isinglass.glass.events import ERRORS
        print(work.work())
        ERRORS.record("Bad", "no bread", work.__file__)
        """
    assert run_code(place, code) == "1\n"


def test_reload_and_errors_work_as_always(tmp_path: Path) -> None:
    package = write(tmp_path, {"work": WORK, "broken": "from isinglass import mark\nmark('a'\n"})
    code = f"""
        import importlib, pathlib
        from probed import work
        source = pathlib.Path({str(package / "work.py")!r})
        source.write_text(source.read_text().replace("return 1", "return 22"))
        print(importlib.reload(work).work(), "_isinglass_word" in work.work.__code__.co_varnames)
        try:
            import probed.broken
        except SyntaxError as error:
            print(error.filename == {str(package / "broken.py")!r}, error.lineno)
        try:
            import probed.missing
        except ModuleNotFoundError as error:
            print(error.name)
        """
    assert run_code(tmp_path, code).splitlines() == ["22 True", "True 2", "probed.missing"]


def test_a_zipped_package_is_left_alone_and_still_marks(tmp_path: Path) -> None:
    write(tmp_path / "plain", {"work": WORK})
    archive = tmp_path / "zipped.zip"
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-c", str(archive), "plain/probed"],
        cwd=tmp_path,
        check=True,
    )
    code = """
        import sys; sys.path.insert(0, "zipped.zip")
        from probed import work
        from isinglass.glass.probe import this_thread
        print(type(work.__loader__).__name__, work.work(), this_thread.word[0] & 0xFFFF)
        """
    assert run_code(tmp_path, code) == "zipimporter 1 6\n"


def test_the_hook_is_cheap_to_import(tmp_path: Path) -> None:
    code = """
        import os, sys
        before = set(sys.modules)
        import isinglass.glass.hook
        isinglass.glass.hook.instrument("probed")
        print(sorted(name for name in set(sys.modules) - before if "." not in name))
        """
    printed = run(tmp_path, "-I", "-S", "-c", probe_path_first(code))
    assert set(eval(printed)) <= {"isinglass", "marshal", "__future__"}


def probe_path_first(code: str) -> str:
    root = str(Path(hook.__file__).parents[2])
    import_path = f"import sys; sys.path.insert(0, {root!r})\n"
    return import_path + "\n".join(line.strip() for line in code.splitlines())
