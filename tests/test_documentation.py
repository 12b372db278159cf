"""Every public name is documented, estimators draw themselves, and what the site is made with tells what is wrong."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import FeatureUnion, make_pipeline

import sigfeat
import sigfeat.reference
from sigfeat import classifiers

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
API = sorted((DOCS / "api").glob("*.rst"))
MODULES = ("sigfeat", "sigfeat.nn", "sigfeat.datasets", "sigfeat.plotting", "sigfeat.adapters.dask")
LISTED = ("sigfeat.adapters.sktime", "sigfeat.adapters.aeon")  # whose docstrings tests/test_adapters.py runs
DEFINED = (
    *("sigfeat.classifiers", "sigfeat.ensemble", "sigfeat.linear_model", "sigfeat.filters", "sigfeat.functionals"),
)
REFERENCE = tuple(f"sigfeat.reference.{module.name}" for module in pkgutil.iter_modules(sigfeat.reference.__path__))
HELPERS = {  # not private, but parts of what is documented
    "sigfeat.functionals.n_parts",
    "sigfeat.reference.encoder.mixed",
    "sigfeat.reference.encoder.pointwise",
    "sigfeat.reference.layers.part",
}
VALUES = {"sigfeat.nn.GROUPS", "sigfeat.nn.PRESETS"}  # dicts, which have no docstrings: docs/api describes them
WITHOUT_PARAMETERS = {"sigfeat.nn.IntervalFilter"}


def names_of(module):
    """Full names of what a module gives."""
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(loaded).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module
        ]
    return [f"{module}.{name}" for name in names]


PUBLIC = sorted({name for module in MODULES + DEFINED + REFERENCE for name in names_of(module)} - HELPERS)


def value_of(name):
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def listed_names():
    """Full names in the tables of the API reference."""
    found = set()
    for page in API:
        module = None
        for line in page.read_text().splitlines():
            module = line.split("::")[1].strip() if line.startswith(".. currentmodule::") else module
            name = re.fullmatch(r"(?:   |\.\. data:: )(\w+)", line)
            if name and module:
                found.add(f"{module}.{name[1]}")
    return found


@pytest.mark.parametrize("module", MODULES + LISTED + DEFINED + REFERENCE)
def test_every_public_name_has_a_page(module):
    listed = listed_names()
    values = [value_of(name) for name in listed if not name.startswith(LISTED)]
    missing = [
        name
        for name in set(names_of(module)) - HELPERS
        if name not in listed and not any(value_of(name) is value for value in values)
    ]
    assert not missing, f"name them in docs/api: {missing}"


def test_every_page_has_something_to_show():
    assert all(value_of(name) is not None for name in listed_names())


@pytest.mark.parametrize("name", sorted(set(PUBLIC) - VALUES - WITHOUT_PARAMETERS))
def test_sections_of_docstrings(name):
    value, text = value_of(name), inspect.getdoc(value_of(name)) or ""
    first, _, rest = text.partition("\n")
    assert first.endswith((".", "?", ":")), first
    assert not rest or rest.startswith("\n")
    if (inspect.isfunction(value) or inspect.isclass(value)) and inspect.signature(value).parameters:
        assert "Parameters\n----------" in text
    if inspect.isfunction(value):
        assert "Returns\n-------" in text


def test_public_names_have_examples():
    gallery = "".join(path.read_text() for path in (ROOT / "examples" / "gallery").glob("plot_*.py"))
    without = {
        name
        for name in PUBLIC
        if "Examples\n--------" not in (inspect.getdoc(value_of(name)) or "")
        and not re.search(rf"\b{name.rpartition('.')[2]}\(", gallery)
    }
    assert without <= VALUES


@pytest.mark.parametrize("page", [page for page in API if ">>>" in page.read_text()], ids=lambda page: page.stem)
def test_examples_on_pages_of_the_reference_run(page):
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried
    assert not failed


def estimators():
    """Functions that make one each: classes, ready pipelines."""
    classes = [name for name in names_of("sigfeat") if hasattr(value_of(name), "fit")]
    return [*classes, *names_of("sigfeat.classifiers")]


@pytest.mark.parametrize("name", estimators())
def test_html_of_an_estimator(name):
    estimator = value_of(name)()
    text = estimator._repr_html_()
    assert type(estimator).__name__ in text
    assert text.count("<div") == text.count("</div>")
    bundle = estimator._repr_mimebundle_()
    assert {"text/plain", "text/html"} <= set(bundle)


def test_html_of_a_fitted_pipeline_names_its_steps_and_parameters():
    X, y = np.random.default_rng(0).random((8, 2, 12)), np.arange(8) % 2
    iss = classifiers.iss_classifier(n_functionals=5)
    union = FeatureUnion([("low_rank", iss[:-1]), ("motion", sigfeat.PathDevelopmentTransformer(dim=2))])
    model = make_pipeline(sigfeat.Increments(basepoint=True), union, iss[-1]).fit(X, y)
    text = model._repr_html_()
    assert "fitted" in text
    for word in (
        "Increments",
        "FeatureUnion",
        "PathDevelopmentTransformer",
        "motion",
        "ISSTransformer",
        "LeaveOneOutRidgeClassifier",
        "basepoint",
        "n_functionals",
    ):
        assert word in text


# ------------------------------------------------------------------------------------ what the site is made with


@pytest.fixture(scope="module")
def check_site():
    return runpy.run_path(str(DOCS / "check_site.py"))


def site_of(folder, text, **files):
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(text)
    (folder / "searchindex.js").write_text('Search.setIndex({"terms": {"develop": [0]}})')
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def test_a_sound_site_has_no_faults(tmp_path, check_site):
    text = '<h1 id="a">A</h1><a href="#a">a</a><a href="b.html#c">b</a><a href="https://x.org">x</a><img src="p.svg">'
    site = site_of(tmp_path, text, b_html='<p id="c"></p><img src="data:image/png;base64,AA">', p_svg="<svg/>")
    assert check_site["faults"](site) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="b.html">b</a>', "index.html: link to b.html, where there is nothing"),
        ('<a href="#b">b</a>', "index.html: link to #b, which has no such anchor"),
        ('<img src="p.png">', "index.html: img p.png is missing or empty"),
        ('<img src="empty.png">', "index.html: img empty.png is missing or empty"),
        (
            '<script src="https://example.org/a.js"></script>',
            "index.html: script is fetched from https://example.org/a.js",
        ),
        ('<b id="sigfeat.A"></b><b id="sigfeat.A"></b>', "index.html: id 'sigfeat.A' is not unique"),
    ],
)
def test_each_fault_is_told(tmp_path, check_site, text, fault):
    assert check_site["faults"](site_of(tmp_path, text, empty_png="")) == [fault]


def test_a_site_without_a_search_index(tmp_path, check_site):
    site = site_of(tmp_path, "<p>")
    (site / "searchindex.js").write_text('Search.setIndex({"terms": {"else": [0]}})')
    assert check_site["faults"](site) == ["the search index does not know 'development'"]
    (site / "searchindex.js").unlink()
    assert check_site["faults"](site) == ["there is no searchindex.js"]


def test_links_of_the_repository_become_links_of_the_site(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS))
    pages = importlib.import_module("extensions.pages")
    text = (
        "[a](../SECURITY.md#x) `[a](../SECURITY.md)` [b](https://example.org) [c](../benchmarks/results/kernels.json)"
    )
    assert pages.relinked(text, DOCS, DOCS) == (
        "[a](generated/security.md#x) `[a](../SECURITY.md)` [b](https://example.org) [c](generated/results.md)"
    )
    assert pages.relinked("[a](docs/speed.md)", ROOT, DOCS / "generated") == "[a](../speed.md)"


@pytest.fixture
def formulas(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("extensions.formulas")


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("X_t = X_{t-1} exp(sum over c of A_c dx_c(t))", r"X_{t} = X_{t - 1} \, \exp(\sum_{c} A_{c} \, dx_{c}(t))"),
        (
            "O(t) = sum over s, s' <= t of h(t - s, t - s') S(s, s')",
            r"O(t) = \sum_{s , s' \le t} h(t - s, t - s') \, S(s, s')",
        ),
        ("z_{n+1} = x_n . (h_n * z_n / N)", r"z_{n + 1} = x_{n} \cdot (h_{n} * z_{n} / N)"),
        ("n = 1, ..., N", r"n = 1 , \dots , N"),
        ("i_1 < ... < i_k <= t", r"i_{1} < \dots < i_{k} \le t"),
        ("c = integral over 0 <= s <= 1 of exp(s M)", r"c = \int_{0 \le s \le 1} \exp(s \, M)"),
        ("y = (x - mean) / sqrt(variance + 1e-5)", r"y = (x - \mathrm{mean}) / \sqrt{\mathrm{variance} + 10^{-5}}"),
        ("g^T D g = D", r"g^{T} \, D \, g = D"),
        ("l <= n_lags - 1", r"l \le \mathrm{n\_lags} - 1"),
        ("w = |t| / k!", "w = |t| / k!"),
    ],
)
def test_plain_formulas_are_shown_as_mathematics(formulas, text, formula):
    assert formulas.with_mathematics(f"With {text}, as in [1]_.") == f"With :math:`{formula}`, as in [1]_."
    assert formulas.with_mathematics(text) == f":math:`{formula}`"


@pytest.mark.parametrize(
    "text",
    [
        "A series of channels.",
        "The result is a copy, and a = copies of it is not a formula",
        "`x = 1` and ``y = 2`` are code",
        "x = weird + y",  # an unknown word
        "O(t) = sum over unknown words of k(s) = 1",
        "x = y -> z_1",
    ],
)
def test_other_text_is_not_changed(formulas, text):
    assert formulas.with_mathematics(text) == text


def test_formulas_in_docstrings_leave_parameters_and_examples(formulas):
    lines = [
        "Sum.",
        "",
        "S(t) = S(t - 1) + x_t.",
        "",
        "Parameters",
        "----------",
        "x : float, default=1",
        "    x = 1.",
        "",
    ]
    notes = ["Notes", "-----", "Here t = 1::", "", "    t = 2", "", "Examples", "--------", ">>> t = 3"]
    changed = [*lines, *notes]
    formulas.formulas_of_docstring(None, "function", "f", None, None, changed)
    expected = [*lines, *notes]
    expected[2] = r":math:`S(t) = S(t - 1) + x_{t}`."
    expected[11] = "Here :math:`t = 1`::"
    assert changed == expected


def test_formulas_of_all_docstrings_can_be_drawn(formulas, monkeypatch):
    pytest.importorskip("docutils")
    mathematics = importlib.import_module("docutils.utils.math.latex2mathml")
    found = 0
    for name in PUBLIC:
        lines = (inspect.getdoc(value_of(name)) or "").split("\n")
        formulas.formulas_of_docstring(None, "object", name, None, None, lines)
        for formula in re.findall(r":math:`([^`]*)`", "\n".join(lines)):
            found += 1
            assert mathematics.tex2mathml(re.sub(r"\\dots\b", r"\\ldots", formula))
    assert found > 30


def test_every_example_of_the_gallery_has_its_place():
    order = re.search(r"^GALLERY = \((.*?)^\)", (DOCS / "conf.py").read_text(), re.DOTALL | re.MULTILINE)[1]
    named = re.findall(r'"(\w+)"', order)
    files = [path.stem.removeprefix("plot_") for path in (ROOT / "examples" / "gallery").glob("*.py")]
    assert sorted(named) == sorted(files)


@pytest.fixture(scope="module")
def results_page():
    before = list(sys.path)
    page = runpy.run_path(str(DOCS / "results_page.py"))
    sys.path[:] = before
    return page


def test_a_file_of_any_form_has_a_table(tmp_path, results_page):
    about = {
        "commit": "abc",
        "date": "2026-01-02T",
        "cpu": "C",
        "n_cpus": 2,
        "python": "3.11",
        "versions": {"numpy": "2"},
    }
    document = about | {"threads": 1, "results": {"words": {"10": {"seconds": [1.0, 2.0, 3.0], "n": 1000}}}}
    (tmp_path / "streams.json").write_text(json.dumps(document))
    results_page["write_results"](tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "results.md").read_text()
    assert "## Streams" in text
    assert re.search(r"\| words / 10 \| +2 \(median of 3\) \| 1,000 \|", text)
    assert "C, 2 CPUs, threads 1, Python 3.11, numpy 2; commit abc, 2026-01-02." in text
    assert "No record of a GPU is committed yet" in text


@pytest.mark.slow
def test_results_are_those_of_the_files(tmp_path, results_page):
    results_page["write_results"](ROOT / "benchmarks" / "results", tmp_path)
    text = (tmp_path / "results.md").read_text()
    records = json.loads((ROOT / "benchmarks" / "results" / "archive" / "results.json").read_text())["records"]
    accuracies = [record["accuracy"] for record in records if record["pipeline"] == "iss_classifier"]
    assert f"{np.mean(accuracies):.4f}" in text  # all sets have as many seeds
    for name in ("Hyena against attention", "The pointer task", "Speed of the compiled loops", "`settings.json`"):
        assert name in text
    assert (tmp_path / "archive" / "figures" / "ranks-all-sets.svg").exists()
