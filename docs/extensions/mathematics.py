"""Formulas as MathML, which browsers draw by themselves: no script, no fonts, no network."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def _mathml(text, block):
    return tex2mathml(text, as_block=block)


def inline(translator, node):
    """A formula within a line."""
    translator.body.append(_mathml(node.astext(), block=False))
    raise nodes.SkipNode


def display(translator, node):
    """A formula on a line of its own, which can be scrolled sideways where it is too wide."""
    translator.body.append(f'<div class="formula">{_mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Make it the renderer of formulas."""
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
