"""A text that comes with Python."""

from pydoc_data.topics import topics


def load_python_help() -> bytes:
    """Python's own help on its language, as UTF-8 bytes.

    What ``help("FUNCTIONS")`` and its like print: some 370,000 bytes of the language reference, in English, with
    examples of code. Topics come in alphabetical order, with an empty line between paragraphs. A paragraph that stands
    in several topics is given once, so that no part of the text has been read before.

    Returns
    -------
    text : bytes
        Each byte a token from 0 to 255; ``numpy.frombuffer(text, numpy.uint8)`` makes an array of them.

    Notes
    -----
    It needs no download, and differs a little between versions of Python.

    References
    ----------
    .. [1] The Python language reference, Python Software Foundation, under the PSF license; `pydoc_data.topics`.

    Examples
    --------
    >>> from sigfeat.datasets import load_python_help
    >>> load_python_help()[:22]
    b'The "assert" statement'
    """
    paragraphs: dict[str, str] = {}  # by their words
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            paragraphs.setdefault(" ".join(paragraph.split()), paragraph.strip("\n"))
    paragraphs.pop("", None)
    return "\n\n".join(paragraphs.values()).encode()
