"""The Python of Markdown pages: blocks, what they are said to print, and how to run them."""

import contextlib
import doctest
import io
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guide"
FENCE = re.compile(r"^```([\w{}-]*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block of Python: its page, the heading above it, its line, and the text block right below it, if any."""

    page: Path
    heading: str
    line: int
    code: str
    printed: str | None

    def run(self, namespace):
        code = compile("\n" * (self.line - 1) + self.code, str(self.page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(code, namespace)
        if self.printed is not None and not doctest.OutputChecker().check_output(self.printed, out.getvalue(), FLAGS):
            raise AssertionError(
                f"{self.page.name}, line {self.line}: the page says\n{self.printed}\nprinted is\n{out.getvalue()}"
            )


def blocks(page):
    """All blocks of Python on a page, in order."""
    text, found = page.read_text(encoding="utf-8"), []
    fences = list(FENCE.finditer(text))
    for fence, after in zip(fences, [*fences[1:], None], strict=True):
        if fence[1] != "python":
            continue
        says = after is not None and after[1] == "text" and not text[fence.end() : after.start()].strip()
        heading = re.findall(r"^#+ (.*)$", text[: fence.start()], re.MULTILINE)[-1]
        line = text[: fence.start(2)].count("\n") + 1
        found.append(Block(page, heading, line, fence[2], after[2] if says else None))
    return found


def run(chosen):
    """Run blocks one after the other in one namespace, and give it back."""
    namespace = {"__name__": "page"}
    for block in chosen:
        block.run(namespace)
    return namespace
