"""Tests and measurements on a GPU: one command, one record, and the page that is made from it."""
