"""A text that comes with Python."""

from pydoc_data.topics import topics


def load_python_help() -> bytes:
    """Python's help on the language, as UTF-8 bytes.

    This is the text that ``help("FUNCTIONS")`` and similar calls print: about 370,000 bytes of the language reference,
    in English, with examples of code. Topics are in alphabetical order, with an empty line between paragraphs. A
    paragraph that occurs in several topics is included once, so that no part of the text repeats an earlier one.

    Returns
    -------
    text : bytes
        Each byte is a token from 0 to 255; ``numpy.frombuffer(text, numpy.uint8)`` gives them as an array.

    Notes
    -----
    The text needs no download, and differs slightly between versions of Python.

    References
    ----------
    .. [1] The Python language reference, Python Software Foundation, under the PSF license; `pydoc_data.topics`.

    Examples
    --------
    >>> from sigfeat.datasets import load_python_help
    >>> load_python_help()[:22]
    b'The "assert" statement'
    """
    paragraphs: dict[str, str] = {}  # paragraphs by their words
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            paragraphs.setdefault(" ".join(paragraph.split()), paragraph.strip("\n"))
    paragraphs.pop("", None)
    return "\n\n".join(paragraphs.values()).encode()
