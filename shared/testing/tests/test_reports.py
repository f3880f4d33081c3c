"""What is shown of a test that failed."""

import subprocess
import sys

from indigo_testing.plugin import end_of


def test_much_that_was_printed_is_cut_to_its_end():
    printed = "".join(f"{number}\n" for number in range(1000))
    shown = end_of(printed).splitlines()
    assert (shown[0], shown[1], shown[-1]) == ("(940 lines before)", "940", "999")
    assert end_of(printed[-100:]) == printed[-100:]


def test_the_reason_of_a_failure_stays_in_sight(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n    print('line\\n' * 1000, end='')\n    raise ValueError('The reason')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-m", "pytest"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "The reason" in ended.stdout
    assert "(940 lines before)" in ended.stdout
    assert len(ended.stdout.splitlines()) < 120
