"""What is wrong with the built site: ``python docs/check_site.py build/docs``.

Each relative link must lead to a file, and to an anchor in it; each picture must exist and hold something; nothing may
be fetched from elsewhere; an object has one anchor; the search index must know a word. Standard library alone.

``--browser chromium`` opens all pages at the width of a desk and of a phone, and looks whether they scroll sideways,
whether a picture is broken, and whether the search finds a word. Where there is no such program, that part is left out,
and said so.
"""

import argparse
import contextlib
import functools
import html
import html.parser
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDTHS = (1280, 390)
WORD = "development"
LOADING = {("img", "src"), ("script", "src"), ("source", "src"), ("link", "href"), ("iframe", "src")}
FETCHED = {"stylesheet", "icon", "preload", "preconnect", "modulepreload"}


class Page(html.parser.HTMLParser):
    """Links, anchors and pictures of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.loaded = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Take note of what leads somewhere, and of what is led to."""
        found = dict(attrs)
        self.ids += [found[name] for name in ("id", "name") if found.get(name) and (name == "id" or tag == "a")]
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        for name in ("src", "href"):
            rels = set((found.get("rel") or "").split())
            if (tag, name) in LOADING and found.get(name) and (tag != "link" or rels & FETCHED):
                self.loaded.append((tag, found[name]))


def pages_of(site):
    """All pages of a site by their files."""
    return {
        path.resolve(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }


def faults(site):
    """Sentences on links, anchors and pictures that lead nowhere, and on what comes from elsewhere."""
    site = site.resolve()
    pages, found = pages_of(site), []
    if not pages:
        return [f"{site} holds no page"]
    for path, page in pages.items():
        name = path.relative_to(site)
        for target in dict.fromkeys(page.links):
            found += [f"{name}: {fault}" for fault in _fault_of_link(path, target, pages)]
        for tag, target in dict.fromkeys(page.loaded):
            found += [f"{name}: {fault}" for fault in _fault_of_file(path, tag, target)]
        twice = {anchor for anchor in page.ids if page.ids.count(anchor) > 1 and not anchor.startswith("sk-")}
        found += [f"{name}: id {anchor!r} is not unique" for anchor in sorted(twice) if _is_written(anchor)]
    return found + _faults_of_search(site)


def _is_written(anchor):
    """Whether an id is that of a heading or an object, and not one that a theme's or an estimator's parts share."""
    return anchor.startswith("sigfeat.")


def _fault_of_link(path, target, pages):
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return []
    file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    file = file / "index.html" if file.is_dir() else file
    if not file.exists():
        return [f"link to {target}, where there is nothing"]
    anchor = unquote(parts.fragment)
    if anchor and file in pages and anchor not in pages[file].ids and anchor not in ("", "top"):
        return [f"link to {target}, which has no such anchor"]
    return []


def _fault_of_file(path, tag, target):
    parts = urlsplit(target)
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.netloc:
        return [f"{tag} is fetched from {target}"]
    file = (path.parent / unquote(parts.path)).resolve()
    if not file.is_file() or not file.stat().st_size:
        return [f"{tag} {target} is missing or empty"]
    return []


def _faults_of_search(site):
    index = site / "searchindex.js"
    if not index.exists():
        return ["there is no searchindex.js"]
    match = re.fullmatch(r"Search\.setIndex\((.*)\);?", index.read_text(encoding="utf-8").strip(), re.DOTALL)
    terms = json.loads(match[1])["terms"] if match else {}
    return [] if WORD[:7] in " ".join(terms) else [f"the search index does not know {WORD!r}"]


# --------------------------------------------------------------------------------------------------- in a browser

PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title>
<iframe id="page" style="border:0;width:100vw;height:2000px"></iframe><pre id="told"></pre><script>
const names = NAMES, told = [];
function scrolls(one, view) {
  for (; one && one.tagName !== "ARTICLE" && one.tagName !== "BODY"; one = one.parentElement) {
    if (["auto", "scroll"].includes(view.getComputedStyle(one).overflowX)) return true;
    if (one.tagName === "math" || one.tagName === "svg") return true;
  }
  return false;
}
const wait = ms => new Promise(done => setTimeout(done, ms));
async function look() {
  const frame = document.getElementById("page");
  for (const name of names) {
    frame.style.width = "WIDTHpx";
    await new Promise(done => { frame.onload = done; frame.src = name; });
    await wait(150);
    const page = frame.contentDocument, root = page.documentElement;
    for (const image of page.images) { image.loading = "eager"; }
    await wait(50);
    const images = [...page.images];
    const broken = images.filter(one => one.complete && !one.naturalWidth).map(one => one.getAttribute("src"));
    const width = root.clientWidth, cut = [];  // what reaches beyond the page, and cannot be scrolled to within it
    for (const one of page.querySelectorAll("article *")) {
      const place = one.getBoundingClientRect();
      if (place.width && place.right > width + 1 && !scrolls(one.parentElement, frame.contentWindow)) {
        cut.push(one.tagName.toLowerCase() + "." + one.className + " " + one.textContent.trim().slice(0, 40));
      }
    }
    told.push({name, scroll: root.scrollWidth, width, images: images.length, broken, cut: cut.slice(0, 2)});
  }
  document.getElementById("told").textContent = JSON.stringify(told);
}
look().catch(error => { document.getElementById("told").textContent = JSON.stringify([{error: String(error)}]); });
</script>"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Say nothing."""


@contextlib.contextmanager
def served(site):
    """Address at which the site is served for the moment."""
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def shown(browser, address, seconds):
    """The page at an address, as it is after some seconds of the browser's own time."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        command += ["--no-first-run", f"--user-data-dir={profile}", f"--window-size={max(WIDTHS)},2000"]
        command += [f"--virtual-time-budget={1000 * seconds}", "--dump-dom", address]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, check=True).stdout


def seen(site, browser, names, width):
    """What a browser of a width sees of pages: their scroll width, broken pictures, and what is cut off."""
    probe = site / "_probe.html"
    probe.write_text(PROBE.replace("NAMES", json.dumps(names)).replace("WIDTHpx", f"{width}px"))
    try:
        with served(site) as address:
            text = shown(browser, f"{address}/{probe.name}", 10 + 3 * len(names))
    finally:
        probe.unlink()
    match = re.search(r'<pre id="told">(.+?)</pre>', text, re.DOTALL)
    return json.loads(html.unescape(match[1])) if match else [{"error": "the pages did not load in time"}]


def faults_in_browser(site, browser, names):
    """Sentences on pages that scroll sideways, broken pictures and a search that finds nothing."""
    found = []
    for width in WIDTHS:
        for page in seen(site, browser, names, width):
            if "error" in page:
                found.append(f"{width}: {page['error']}")
                continue
            if page["scroll"] > page["width"]:
                found.append(f"{width}: {page['name']} scrolls sideways, {page['scroll']} wide")
            found += [f"{width}: {page['name']} cuts {what!r} at the right" for what in page["cut"]]
            found += [f"{width}: {page['name']} has the broken picture {source}" for source in page["broken"]]
    with served(site) as address:
        results = shown(browser, f"{address}/search.html?q={WORD}", 30).partition('id="search-results"')[2]
    if "<li" not in results:
        found.append(f"the search finds nothing for {WORD!r}")
    return found


def main():
    """Look, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--browser", nargs="?", const="chromium", help="look at all pages with it, too")
    options = parser.parse_args()
    found = faults(options.site)
    pages = sorted(path.relative_to(options.site).as_posix() for path in options.site.rglob("*.html"))
    print(f"{len(pages)} pages: links, anchors, pictures, search index")
    if options.browser and not shutil.which(options.browser):
        print(f"not opened in a browser: there is no {options.browser}")
    elif options.browser:
        names = [name for name in pages if not name.startswith(("_modules/", "_static/", "_probe"))]
        found += faults_in_browser(options.site, options.browser, names)
        print(f"{len(names)} of them opened in {options.browser}, {' and '.join(map(str, WIDTHS))} wide")
    for fault in found:
        print(fault, file=sys.stderr)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
