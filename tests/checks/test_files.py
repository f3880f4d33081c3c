"""What no file of the repository may contain."""

import re

# Put together here, so that this file does not contain what it looks for.
REGISTRIES = re.compile(
    "|".join(["pypi" + r"\.org", "python" + r"hosted\.org", "registry" + r"\.npmjs", "index" + "-url"])
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|home|Users|root)/[\w.-]+")


def lines_with(pattern, root, files):
    return [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in files
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def test_the_patterns_find_what_they_are_for(tmp_path):
    (tmp_path / "a").write_text(
        "https://files.python" + "hosted.org/x\nfine\n/ho" + "me/somebody/x\nsee /homepage/x\n"
    )
    assert len(lines_with(REGISTRIES, tmp_path, ["a"])) == 1
    assert lines_with(MACHINE_PATHS, tmp_path, ["a"]) == ["a:3: /ho" + "me/somebody/x"]


def test_no_file_names_a_package_registry(root, tracked):
    assert lines_with(REGISTRIES, root, tracked) == []


def test_no_file_contains_a_path_of_one_machine(root, tracked):
    assert lines_with(MACHINE_PATHS, root, tracked) == []


def test_every_script_in_deploy_says_what_it_does(root, tracked):
    scripts = [path for path in tracked if path.parts[0] in {"deploy", ".ci"} and not path.suffix]
    for path in scripts:
        text = (root / path).read_text(encoding="utf-8")
        if text.startswith("#!"):
            assert text.splitlines()[1].startswith("# "), f"{path}: the second line says what the script does"
