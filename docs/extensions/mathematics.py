"""Formulas as MathML, which browsers draw by themselves: no script, no fonts, no network."""

import html
import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

SIZES = re.compile(r"\\[bB]igg?[lrm]?(?![a-zA-Z])")  # of brackets, which grow by themselves
LONG = 60  # characters of a source
DOTS = re.compile(r"\\dots(?![a-zA-Z])")  # not known to docutils


def mathml(node, block):
    """The formula of a node, or its source and a warning."""
    try:
        return tex2mathml(DOTS.sub(r"\\ldots", SIZES.sub("", node.astext())), as_block=block)
    except MathError as error:
        logging.getLogger(__name__).warning("a formula cannot be read: %s: %s", error, node.astext(), location=node)
        return f"<code>{html.escape(node.astext())}</code>"


def inline(translator, node):
    """A formula within a line; a long one can be scrolled, too, where the page is narrow."""
    formula = mathml(node, block=False)
    long = len(node.astext()) > LONG
    translator.body.append(f'<span class="long-formula">{formula}</span>' if long else formula)
    raise nodes.SkipNode


def display(translator, node):
    """A formula on a line of its own, which can be scrolled sideways where it is too wide."""
    translator.body.append(f'<div class="formula">{mathml(node, block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Make it the renderer of formulas."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
