"""Settings of the documentation site: ``make docs``. Nothing is fetched when it is built, nor when it is read."""

import os
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]
os.environ.setdefault("MPLBACKEND", "agg")
# examples that start processes import what is in this folder
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH")]))

import sigfeat  # noqa: E402

project = "sigfeat"
author = "The sigfeat developers"
project_copyright = "the sigfeat developers, BSD-3-Clause"
version = release = sigfeat.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "extensions.formulas",
    "extensions.links",
    "extensions.mathematics",
    "extensions.pages",
]
exclude_patterns = [
    "extensions",
    "templates",
    "generated/report",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
templates_path = ["templates"]
default_role = "known"  # of extensions.links
nitpicky = True
needs_sphinx = "8.0"
nitpick_ignore_regex = [("py:.*", r"(sklearn|torch|sktime|aeon|dask)\..*")]  # have sites of their own
suppress_warnings = ["myst.header"]  # printed tables have headings of the third level, whatever is above them

# ---------------------------------------------------------------------------------------------------- reference

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # shapes and dtypes are in the docstrings
autodoc_member_order = "bysource"
add_module_names = False
numpydoc_show_class_members = False  # the template of classes lists the methods that are ours
numpydoc_class_members_toctree = False
# Summary, parameters and what is returned, each with words; tests/test_documentation.py looks at sections and examples.
numpydoc_validation_checks = {"GL06", "GL07", "SS01", "PR01", "PR02", "PR10", "YD01"}
numpydoc_validation_exclude = {
    r"\.get_feature_names_out$",
    r"\.__",
    r"^sigfeat\.nn\.\w+\.\w+",  # methods of torch modules, whose shapes are in their annotations
    r"^sigfeat\.adapters\.(sktime|aeon)\.\w+\.",  # methods that these libraries define
    r"^sigfeat\.nn\.(IntervalFilter|LowRankISS)$",
}

# ------------------------------------------------------------------------------------------------------- pages

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 4

# ----------------------------------------------------------------------------------------------------- gallery

warnings.filterwarnings("ignore", message="X does not have valid feature names")
GALLERY = (  # in the order in which to read them
    "quick_start",
    "unequal_lengths",
    "grid_search",
    "weights_of_words",
    "semirings",
    "time_warps",
    "learnt_functionals",
    "sphere",
    "hyena_and_attention",
    "filters",
    "union",
    "dask",
)


class PlaceInGallery:
    """Place of an example's file, in the form in which sphinx-gallery asks for it; unknown ones come last."""

    def __init__(self, src_dir):
        """Of a folder of examples."""

    def __call__(self, name):
        """A text to sort by."""
        stem = Path(name).stem.removeprefix("plot_")
        return f"{GALLERY.index(stem):02}" if stem in GALLERY else f"99{stem}"


def quiet_examples(gallery_conf, fname):
    """One look for all pictures, before each example."""
    import matplotlib

    matplotlib.rcdefaults()
    matplotlib.use("agg")
    matplotlib.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.figsize": (7, 4),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "legend.frameon": False,
            "svg.fonttype": "none",
        }
    )


sphinx_gallery_conf = {
    "examples_dirs": ["../examples/gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"plot_.*\.py",
    "within_subsection_order": "conf.PlaceInGallery",
    "reset_modules": ("conf.quiet_examples",),
    "backreferences_dir": "api/examples",
    "doc_module": ("sigfeat",),
    "reference_url": {"sigfeat": None},
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "capture_repr": ("_repr_html_", "__repr__"),
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1,
    "parallel": False,
}

# -------------------------------------------------------------------------------------------------------- site

html_theme = "pydata_sphinx_theme"
html_title = f"sigfeat {version}"
html_static_path = ["static"]
html_css_files = ["sigfeat.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "sigfeat"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
