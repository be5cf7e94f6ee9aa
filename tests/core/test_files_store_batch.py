import contextlib
import io
import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from radiobone.core.batch import exit_code, progress_bar, run_cases
from radiobone.core.errors import ImageError, MissingExtraError, UsageError
from radiobone.core.files import atomic_path, check_output, write_json, write_text
from radiobone.core.hashing import sha256_file, sha256_json
from radiobone.core.store import ResumeStore


def test_an_interrupted_write_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "old")

    def interrupted() -> None:
        with atomic_path(path) as part:
            part.write_text("half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["table.csv"]


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    write_text(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_hashes():
    assert sha256_json({"a": 1, "b": [1, 2]}) == sha256_json({"b": [1, 2], "a": 1})
    assert sha256_json([1, 2]) != sha256_json([2, 1])


def test_hash_of_a_file(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    # FIPS 180-4's own example.
    assert sha256_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_store_gives_back_every_float_to_the_last_bit(tmp_path):
    store = ResumeStore(tmp_path)
    values = {"a": 0.1 + 0.2, "b": 1e-308, "c": -0.0}
    store.put("ab" * 32, values)
    assert store.get("ab" * 32) == values
    assert store.get("cd" * 32) is None


def test_a_damaged_entry_counts_as_none(tmp_path):
    store = ResumeStore(tmp_path)
    store.put("ab" * 32, {"a": 1.0})
    (file,) = tmp_path.rglob("*.json")
    file.write_text(file.read_text()[:5])
    assert store.get("ab" * 32) is None


def _work(case: int) -> int:
    if case == 2:
        raise ImageError("bad", where="case 2")
    if case == 3:
        raise ZeroDivisionError("by\nzero")
    time.sleep(0.01 * (4 - case))
    return case * 10


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_bad_case_never_stops_the_others(jobs):
    outcomes = run_cases([0, 1, 2, 3, 4], _work, name=str, jobs=jobs)
    assert [outcome.status for outcome in outcomes] == ["ok", "ok", "failed", "failed", "ok"]
    assert [outcome.result for outcome in outcomes] == [0, 10, None, None, 40]
    assert outcomes[2].reason == "bad | where: case 2"
    assert outcomes[3].reason == "unexpected ZeroDivisionError: by zero"
    assert exit_code(outcome.status for outcome in outcomes) == 3
    assert exit_code(["ok", "skipped"]) == 0


def _threads(_: int) -> tuple[int, int]:
    import SimpleITK as sitk

    return sitk.ProcessObject.GetGlobalDefaultNumberOfThreads(), os.getpid()


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_case_holds_one_native_thread(jobs):
    results = [outcome.result for outcome in run_cases([0, 1, 2], _threads, name=str, jobs=jobs)]
    assert {threads for threads, _ in results} == {1}
    assert (os.getpid() in {process for _, process in results}) == (jobs == 1)


def _reads(name: str) -> str:
    return Path(name).read_text()


def test_relative_paths_mean_the_folder_of_the_caller(tmp_path, monkeypatch):
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text(folder)
        monkeypatch.chdir(tmp_path / folder)
        # joblib keeps its workers between batches, and they stay where they were.
        assert {outcome.result for outcome in run_cases(["file"] * 4, _reads, name=str, jobs=2)} == {folder}


def _missing(_: int) -> None:
    raise MissingExtraError("the package 'radiomics' is needed")


def test_wrong_use_stops_the_batch_at_once():
    with pytest.raises(MissingExtraError):
        run_cases([0, 1], _missing, name=str)


def test_no_cases_is_no_crash():
    assert run_cases([], _work, name=str) == []


def _killed_at_three(case: int) -> int:
    if case == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return case * 10


def test_a_case_that_kills_its_worker_is_failed_and_the_others_are_done():
    outcomes = run_cases(range(8), _killed_at_three, name=str, jobs=2, progress=False)
    assert [outcome.result for outcome in outcomes] == [0, 10, 20, None, 40, 50, 60, 70]
    assert outcomes[3].status == "failed"
    assert "worker process was killed" in outcomes[3].reason


@pytest.mark.parametrize("jobs", [1, 2])
def test_unexpected_errors_keep_their_traceback(jobs):
    outcomes = run_cases([3, 0], _work, name=str, jobs=jobs)
    assert "raise ZeroDivisionError" in outcomes[0].traceback
    assert outcomes[1].traceback == ""


@pytest.mark.parametrize("jobs", [0, -2])
def test_a_number_of_jobs_that_means_nothing_is_wrong_use(jobs):
    with pytest.raises(UsageError, match="no number of jobs"):
        run_cases([0], _work, name=str, jobs=jobs)


def test_an_output_is_checked_before_the_work(tmp_path):
    source = tmp_path / "cohort.csv"
    source.write_text("x")
    check_output(tmp_path / "new" / "features.csv", [source])
    with pytest.raises(UsageError, match="overwrite an input"):
        check_output(tmp_path / "." / "cohort.csv", [source])
    with pytest.raises(UsageError, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        check_output(source / "features.csv")


def terminal(monkeypatch):
    """Let a text stand for a terminal, and return it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def test_a_progress_bar_tells_the_time_left_of_slow_cases(monkeypatch):
    screen = terminal(monkeypatch)
    clock = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: clock[0])
    with progress_bar("segmenting scans", 10, True) as advance:
        for _ in range(3):
            clock[0] += 300.0
            advance()
    assert re.search(r"3/10.*left \S*0:35:00", screen.getvalue())


def test_text_that_is_sent_nowhere_does_not_come_up_between_progress_bars(monkeypatch):
    screen = terminal(monkeypatch)
    elsewhere = io.StringIO()
    with contextlib.redirect_stdout(elsewhere), progress_bar("training", 2, True) as advance:
        print("said by a library")
        advance()
    assert elsewhere.getvalue() == "said by a library\n"
    assert "library" not in screen.getvalue()


def test_a_progress_bar_of_unknown_length_counts_what_is_done(monkeypatch):
    screen = terminal(monkeypatch)
    with progress_bar("drawing figures", None, True) as advance:
        advance()
        advance()
    assert "drawing figures" in screen.getvalue()
    assert "2/?" in screen.getvalue()
