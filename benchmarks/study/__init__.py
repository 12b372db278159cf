"""What studies share: cells, records of finished cells, the run, the command line, pages and pictures.

A study is a folder with `config.py` (settings from the command line), `cells.py` (what is measured), `runner.py` (the
list of all cells), and pure functions from records to tables, pictures and pages.
"""
