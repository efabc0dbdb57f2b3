"""Print the size figures of the code: `python -m bench.style`. Printed to be read, never a gate."""

from __future__ import annotations

import ast
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = ("hub", "drivers", "rules", "simulators")
Function = (ast.FunctionDef, ast.AsyncFunctionDef)


def sources(folder: str) -> list[Path]:
    """Return the Python files below a folder, migrations left out."""
    return [p for p in sorted((ROOT / folder).rglob("*.py")) if "versions" not in p.parts]


def length(path: Path) -> int:
    """Count the lines of a file."""
    return len(path.read_text("utf-8").splitlines())


def functions(path: Path) -> list[tuple[int, str]]:
    """Return (lines, name) of each function of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, Function)]
    where = path.relative_to(ROOT)
    return [((n.end_lineno or n.lineno) - n.lineno + 1, f"{where}:{n.name}") for n in found]


def main() -> None:
    """Print the table."""
    files = [path for folder in CODE for path in sources(folder)]
    lines = [length(path) for path in files]
    bodies = sorted(item for path in files for item in functions(path))
    sizes = [size for size, _ in bodies]
    tests = sum(length(path) for path in sources("tests"))
    longest = max(files, key=length)
    print(f"files {len(files)}, lines {sum(lines)}, test lines {tests}")
    print(f"file lines: median {statistics.median(lines):.0f}, max {max(lines)} ({longest})")
    p90 = sizes[int(len(sizes) * 0.9)]
    print(f"function lines: median {statistics.median(sizes):.0f}, p90 {p90}, max {bodies[-1]}")


if __name__ == "__main__":
    main()
