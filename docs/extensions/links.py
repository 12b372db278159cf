"""Docstrings that are written to be read as text, as pages: links, members that are ours, plain signs."""

import re

from docutils import nodes
from sphinx.domains.python import PyXRefRole


class KnownRole(PyXRefRole):
    """`name`: a link where there is something of this name, code where there is not, as in docstrings read as text."""

    def process_link(self, env, refnode, has_explicit_title, title, target):
        """Mark the reference as one that may lead nowhere."""
        title, target = super().process_link(env, refnode, has_explicit_title, title, target)
        refnode["refdomain"], refnode["reftype"], refnode["may_be_missing"] = "py", "obj", True
        refnode["py:module"] = env.ref_context.get("py:module")
        refnode["py:class"] = env.ref_context.get("py:class")
        if refnode["py:module"] is None:
            refnode["py:module"] = "sigfeat"
        return title, target


def missing(app, env, node, contnode):
    """Code in place of a link that leads nowhere, where that is all right; any other is a warning."""
    own_attribute = node.get("py:class") and str(node.get("reftarget")).isidentifier()  # numpydoc links properties
    if not node.get("may_be_missing") and not own_attribute:
        return None
    return nodes.literal(contnode.astext(), contnode.astext())


def skipped(app, what, name, obj, skip, options):
    """Leave out members that come from scikit-learn, torch, sktime or aeon, whose documentation is elsewhere."""
    if what in ("class", "exception") or callable(obj) or isinstance(obj, property | classmethod | staticmethod):
        function = getattr(obj, "fget", None) or getattr(obj, "__func__", obj)
        home = getattr(function, "__module__", None)
        if home is not None and not str(home).startswith("sigfeat"):
            return True
    return None


PARTS = re.compile(r"(``.*?``|:math:`[^`]*`|`[^`]*`|\*\*.*?\*\*)")
REFERENCE = re.compile(r"(?<![\w\\])([A-Za-z]\w*_)(?![\w`])")  # mean_ would be a link
EMPHASIS = re.compile(r"(?<![\\*])([*|])(?!\*)")  # *, |t|
LITERAL = re.compile(r"\s*(>>>|\.\.\.|\.\. |:(?!math:)\w+:|\* |- |\|)")


def plain_signs(app, what, name, obj, options, lines):
    """Escape trailing underscores, asterisks and bars, which are formulas and names, outside of code and examples."""
    in_example = False
    for k, line in enumerate(lines):
        in_example = line.strip() != "" and (in_example or line.lstrip().startswith(">>>"))
        if in_example or (LITERAL.match(line) and not line.lstrip().startswith("|")):
            continue
        parts = PARTS.split(line)
        for j in range(0, len(parts), 2):
            parts[j] = EMPHASIS.sub(r"\\\1", REFERENCE.sub(lambda found: found[1][:-1] + "\\_", parts[j]))
        lines[k] = "".join(parts)


def setup(app):
    """Add the role and the listeners."""
    app.add_role("known", KnownRole())
    app.connect("missing-reference", missing)
    app.connect("autodoc-skip-member", skipped)
    app.connect("autodoc-process-docstring", plain_signs, priority=400)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
