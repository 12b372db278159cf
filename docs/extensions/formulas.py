"""Formulas that docstrings write as plain text, as mathematics on the site.

``X_t = X_{t-1} exp(sum over c of A_c dx_c(t))`` is readable in ``help()``; on a page it becomes a formula. The summary,
the text below it and the section "Notes" of a docstring are searched for relations (``=``, ``<``, ``<=``, ``>``,
``>=``) between expressions. An expression that contains anything except these forms is left as text:

* numbers, single letters, words of `NAMES` and names with underscores: ``x``, ``decay``, ``n_lags``;
* subscripts, superscripts, primes and factorials: ``x_i``, ``x_{t-1}``, ``g^T``, ``X_s^{-1}``, ``s'``, ``k!``;
* arguments and indices: ``x_c(t)``, ``taps[c, l]``; `FUNCTIONS` such as ``exp(M)`` and ``sqrt(2 i + 1)``;
* products by a space, ``*`` or `` . ``; ``+``, ``-``, ``/``, brackets, absolute values ``|t|``, and ``...`` or ``..``;
* sums and integrals: ``sum_c A_c``, ``sum over i < j of x_i x_j``, ``integral over 0 <= s <= 1 of exp(s M)``;
* lists after a relation: ``n = 1, ..., N``.
"""

import re

NAMES = {
    **{name: rf"\mathrm{{{name}}}" for name in ("decay", "dilation", "dilations", "lag", "taps", "rates", "weights")},
    **{name: rf"\mathrm{{{name}}}" for name in ("length", "dim", "mean", "variance", "MLP", "FLOOR", "floor")},
    **{name: name for name in ("dx", "dt", "dX", "dM", "dL")},
    **{name: rf"\{name}" for name in ("pi", "phi", "theta", "Lambda", "lambda")},
    "Abar": r"\bar{A}",
    "Bbar": r"\bar{B}",
}
FUNCTIONS = {
    **{name: rf"\{name}" for name in ("exp", "log", "sin", "cos", "tanh", "det", "max", "min")},
    **{
        name: rf"\mathrm{{{name}}}"
        for name in ("diag", "tr", "Re", "Im", "conj", "star", "sigmoid", "softmax", "inverse")
    },
}
RELATIONS = {"=": "=", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}
BIG = {"sum": r"\sum", "integral": r"\int"}
OPENING = {"(": ")", "[": "]", "{": "}"}
SNAKE = re.compile(r"[A-Za-z]+(?:_[a-z]{3,})+(?!\w)")
NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:e(-?\d+))?(?![\w.]|\.\d)|(\d+(?:\.\d+)?)(?=\.(?:\s|$))|(\d+)(?=[A-Za-z]\b)")
# what shows that a formula goes on in a way that is not known, and that a text before it belongs to it
CONTINUES = re.compile(r"\s+(?:[-+*/=<>^(]|\.\s|(?:sum|integral|over|of)\b|[^\s`]*[_^([{])")
BELONGS = re.compile(
    r"(?:[-+*/=<>^]|\b(?:sum|integral)\s+over(?:[^.]*\sof)?|(?:\b\w'?|[)\]}]),|\b(?![aAI]\b)\w'?|\S[)\]}])\s+$"
)
ARTICLE = re.compile(rf"(?:a|A|I|{'|'.join(name for name in NAMES if len(name) > 2)})\s+[A-Za-z]")  # no left side
LIST_ITEM = re.compile(r"\s*(?:[*+-]|\d+\.) ")
SECTION = re.compile(r"^[A-Z][A-Za-z ]+\n-{3,}$", re.MULTILINE)
CODE = re.compile(r"``.*?``|`[^`]*`", re.DOTALL)


class NotAFormula(Exception):  # noqa: N818
    """The text at this place has no known form."""


class _Reader:
    """A recursive reader of one formula, which starts at a place of a text."""

    def __init__(self, text, place):
        self.text, self.place = text, place

    def at(self, pattern):
        """Match of a pattern here, or None."""
        return re.compile(pattern).match(self.text, self.place)

    def take(self, pattern):
        """Text of a pattern here, which is passed over, or None."""
        found = self.at(pattern)
        if found:
            self.place = found.end()
        return found and found[0]

    def expect(self, pattern):
        """The same, or `NotAFormula`."""
        found = self.take(pattern)
        if found is None:
            raise NotAFormula(self.text[self.place :][:20])
        return found

    def relation(self, n_least=1, *, lists=True):
        """Expressions with relations between them, at least this many."""
        parts, n = [self.expression()], 0
        while True:
            before = self.place
            sign = self.take(r"\s*(<=|>=|=|<|>)(?=\s)")
            try:
                if sign:
                    self.take(r"\s+")
                    parts += [RELATIONS[sign.strip()], self.expression()]
                    n += 1
                    continue
                if (lists and n and self.take(r",\s+(?=(?:[\w-]+,\s+)*\.\.)")) or (not lists and self.take(r",\s+")):
                    parts += [",", self.expression(), *(self.rest_of_list() if lists else [])]
                    continue
            except NotAFormula:
                if sign:
                    raise
            self.place = before
            break
        if n < n_least:
            raise NotAFormula(self.text[self.place :][:20])
        return " ".join(parts)

    def rest_of_list(self):
        """Further expressions, each with the comma before it."""
        parts = []
        while True:
            before = self.place
            try:
                self.expect(r",\s+")
                parts += [",", self.expression()]
            except NotAFormula:
                self.place = before
                return parts

    def expression(self):
        """Terms with plus and minus between them."""
        parts = ["-"] if self.take(r"-\s*") else []
        parts.append(self.term())
        while True:
            before = self.place
            sign = self.take(r"\s+[+-]\s+|[+-](?=\w)")
            if sign is None:
                return " ".join(parts)
            try:
                parts += [sign.strip(), self.term()]
            except NotAFormula:
                self.place = before
                return " ".join(parts)

    def term(self):
        """Factors, divided, convolved, or beside each other."""
        parts = [self.factor()]
        while True:
            before = self.place
            sign = self.take(r"\s*//?\s*|\s+(?:[*.]|\(x\))\s+|\s+")
            if sign is None or (not sign.strip() and self.at(r"(?:a|A|I)\s+[a-z]{2,}\b(?!_)")):  # an article
                self.place = before
                return " ".join(parts)
            try:
                factor = self.factor()
            except NotAFormula:
                self.place = before
                return " ".join(parts)
            parts += [
                {"*": "*", ".": r"\cdot", "/": "/", "//": "//", "(x)": r"\otimes"}.get(sign.strip(), r"\,"),
                factor,
            ]

    def factor(self):
        """One value with its indices, powers and arguments."""
        if self.at(r"(?:sum|integral)\b|sum_"):
            return self.big()
        if self.take(r"sqrt\("):
            inside = self.several(")")
            return rf"\sqrt{{{inside}}}" + self.after()
        if self.take(r"\.\.\.?(?!\.)"):
            return r"\dots"
        bar = self.take(r"\|(?=\w)")
        if bar:
            inside = self.expression()
            self.expect(r"\|")
            return f"|{inside}|" + self.after()
        if self.at(r"[(\[](?=\S)"):
            return self.bracket() + self.after()
        return (self.number() or self.name()) + self.after()

    def number(self):
        """A number, with a power of ten in place of its exponent, or None."""
        found = NUMBER.match(self.text, self.place)
        if found is None:
            return None
        self.place = found.end()
        digits = found[1] or found[3] or found[4]
        power = f"10^{{{found[2]}}}" if found[2] else ""
        return power if power and digits == "1" else rf"{digits} \cdot {power}" if power else digits

    def name(self):
        """A letter or a known word."""
        snake = SNAKE.match(self.text, self.place)
        if snake:
            self.place = snake.end()
            return rf"\mathrm{{{snake[0]}}}".replace("_", r"\_")
        word = self.expect(r"[A-Za-z]+")
        known = FUNCTIONS.get(word) or NAMES.get(word) or (word if len(word) == 1 else None)
        if known is None:
            raise NotAFormula(word)
        return known

    def after(self):
        """What follows a value without a space: indices, powers, primes, arguments."""
        parts = []
        while True:
            sign = self.take(r"[_^](?=[\w{*-])")
            if sign:
                if self.at(r"\{"):
                    inside = self.bracket(shown=False)
                else:
                    inside = self.expect(r"-?\d+|\*|[A-Za-z][A-Za-z0-9]*'?")
                parts.append(f"{sign}{{{NAMES.get(inside, inside)}}}")
            elif self.take(r"'(?![\w'])"):
                parts.append("'")
            elif self.take(r"!(?!\w)"):
                parts.append("!")
            elif self.at(r"[(\[]"):
                parts.append(self.bracket())
            else:
                return "".join(parts)

    def bracket(self, *, shown=True):
        """A pair of brackets with expressions in it."""
        opening = self.expect(r"[(\[{]")
        inside = self.several(OPENING[opening])
        return f"{opening}{inside}{OPENING[opening]}" if shown else inside

    def several(self, closing):
        """Expressions or relations with commas between them, up to a closing bracket."""
        parts = [self.relation(0)]
        while self.take(r"\s*[,;]\s*"):
            parts.append(self.relation(0))
        self.expect(r"\s*" + re.escape(closing))
        return ", ".join(parts)

    def big(self):
        """A sum or an integral, and its range."""
        sign = BIG[self.expect(r"sum|integral")]
        if self.at(r"_"):
            sign += self.after()
            self.expect(r"\s+")
            return f"{sign} {self.term()}"
        self.expect(r"\s+over\s+")
        limits = self.relation(0, lists=False)
        self.expect(r"\s+of\s+")
        return rf"{sign}_{{{limits}}} {self.term()}"


def latex(text, place=0):
    """The formula that starts at a place of a text, as LaTeX, and the place of its end; or None.

    Parameters
    ----------
    text : str
        Plain text.
    place : int, default=0
        Where the formula starts.

    Returns
    -------
    formula : tuple of (str, int) or None
        None if there is no relation of known forms.
    """
    reader = _Reader(text, place)
    try:
        formula = reader.relation()
    except (NotAFormula, RecursionError):
        return None
    rest = text[reader.place :]
    ends = not rest or re.match(r"\s|[,;:).](?:\s|[.,:;]|$)", rest)
    return (formula, reader.place) if ends and not CONTINUES.match(rest) else None


def with_mathematics(text):
    """Text in which formulas are math roles of reStructuredText.

    Parameters
    ----------
    text : str
        A paragraph.

    Returns
    -------
    text : str
        The same with ``:math:`...``` in place of its formulas.
    """
    codes = [found.span() for found in CODE.finditer(text)]
    parts, done = [], 0
    for start in re.finditer(r"(?:(?<=\s)|(?<=^)|(?<=\s\())[A-Za-z0-9(|-]", text):
        place = start.start()
        if place < done or any(begin <= place < end for begin, end in codes):
            continue
        if ARTICLE.match(text, place):
            continue
        if text[done:place].strip() not in ("", ",", "and") and BELONGS.search(text, 0, place):
            continue
        found = latex(text, place)
        if found and not any(place < begin < found[1] for begin, _ in codes):
            parts += [text[done:place], f":math:`{found[0]}`"]
            done = found[1]
    return "".join([*parts, text[done:]])


def _paragraphs(lines):
    """Runs of lines that belong together: paragraphs and items of lists."""
    run = []
    for line in lines:
        if run and (not line.strip() or not run[-1].strip() or LIST_ITEM.match(line)):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def formulas_of_docstring(app, what, name, obj, options, lines):
    """Replace the formulas of a docstring, except in its lists of parameters, examples and literal blocks."""
    text = "\n".join(lines)
    starts = [0, *(found.start() for found in SECTION.finditer(text)), len(text)]
    parts = []
    for begin, end in zip(starts, starts[1:], strict=False):
        part = text[begin:end]
        if begin and not part.startswith("Notes\n"):
            parts.append(part)
            continue
        literal, changed = False, []
        for run in _paragraphs(part.split("\n")):
            paragraph = "\n".join(run)
            if paragraph.strip():
                indented = paragraph.startswith(" ")
                literal = literal and indented
                plain = literal or paragraph.lstrip().startswith((">>>", ".. ", "----"))
                changed.append(paragraph if plain else with_mathematics(paragraph))
                literal = literal or paragraph.rstrip().endswith("::")
            else:
                changed.append(paragraph)
        parts.append("\n".join(changed))
    lines[:] = "".join(parts).split("\n")


def setup(app):
    """Add the listener, before the one that escapes signs."""
    app.connect("autodoc-process-docstring", formulas_of_docstring, priority=390)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
