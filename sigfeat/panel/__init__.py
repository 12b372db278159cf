"""Panels: the one form in which series enter every transformer."""

from sigfeat.panel._conversion import is_table, series_lengths, to_panel
from sigfeat.panel._frames import computed, is_pandas, refuse_levels
from sigfeat.panel._inputs import series_index, with_frames
from sigfeat.panel._labels import Panel, as_panel, channel_names, columns_of, labelled
from sigfeat.panel._long_tables import refuse_long_table
from sigfeat.panel._numbers import Floats
from sigfeat.panel._times import in_order

__all__ = [
    "Floats",
    "Panel",
    "as_panel",
    "channel_names",
    "columns_of",
    "computed",
    "in_order",
    "is_pandas",
    "is_table",
    "labelled",
    "refuse_levels",
    "refuse_long_table",
    "series_index",
    "series_lengths",
    "to_panel",
    "with_frames",
]
