"""The channels that each feature depends on, from the table of its transformer or from its name."""

from sigfeat.plotting._names import name_parts
from sigfeat.words import channels_of_letters


def names_of(features):
    """Names of features, given as names or as a fitted transformer."""
    return list(features.get_feature_names_out() if hasattr(features, "get_feature_names_out") else features)


def channels_of(features):
    """Labels of the channels of each feature, as tuples; a ValueError names the first feature that has none."""
    fitted = hasattr(features, "get_feature_names_out")
    names = names_of(features)
    known = _listed(features) if fitted else {str(name): _spelled(name) for name in names}
    found = [known.get(str(name)) for name in names]
    for name, channels in zip(names, found, strict=True):
        if not channels:
            remedy = "" if fitted else "; low-rank features need the fitted transformer in place of their names"
            raise ValueError(f'by="channel" needs features that list their channels, which {name!r} does not{remedy}')
    everything = set().union(*found)
    if len(everything) > 1 and all(len(channels) == len(everything) for channels in found):
        raise ValueError(f'by="channel" cannot compare channels: every feature depends on all {len(everything)}')
    return found


def _listed(transformer, start=""):
    """Channels of the features, by name, of a transformer and all its parts."""
    if hasattr(transformer, "feature_table"):
        channels = transformer.feature_table()["channels"]
        return dict(zip(start + channels.index, channels, strict=True))
    named = getattr(transformer, "verbose_feature_names_out", None)
    parts = getattr(transformer, "transformer_list", None) or getattr(transformer, "transformers_", None)
    if parts is not None:  # of a FeatureUnion, or a ColumnTransformer, which adds the columns
        parts = [(f"{start}{name}__" if named else start, part) for name, part, *_ in parts]
    else:
        parts = [(start, part) for _, part in getattr(transformer, "steps", ())]
    known = {}
    for beginning, part in parts:
        known |= _listed(part, beginning)
    return known


def _spelled(name):
    """Channels in the word of a name, in the order of their first occurrence."""
    parts = name_parts(name)
    if parts.level == "none":
        return ()
    return tuple(dict.fromkeys(channel for letter in channels_of_letters(parts.word) for channel in letter))
