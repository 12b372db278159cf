"""Names of channels in the names of features, and the tables of what each feature looks at."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sigfeat import (
    Increments,
    IntervalDevelopmentTransformer,
    IntervalISSTransformer,
    IntervalQuantileTransformer,
    ISSTransformer,
    LowRankISSTransformer,
    PathDevelopmentTransformer,
    SignatureTransformer,
    Word,
)
from sigfeat.pooling import POOLINGS
from sigfeat.reference.low_rank import delay_letter, low_rank_increments
from sigfeat.words import channel_labels
from tests.panels import df_list, multiindex, nested, ragged

WILD = ["speed", "wheel speed", "a,b", 'say "x"', "back\\slash", "", " lead", "7", "new\nline", "[x]", "a|b", "größe"]
NAMES = ["speed", "temp", "a__b"]


def panel(n_timepoints=40):
    """Positive, so that every semiring takes it."""
    return np.random.default_rng(0).uniform(0.1, 2.0, (6, 3, n_timepoints))


def frames(X, names=NAMES):
    return [pd.DataFrame(x.T, columns=names) for x in X]


def words(*texts):
    return {"words": list(texts), "pooling": "end", "windows": "whole"}


def test_labels_are_the_names_unless_they_could_be_misread():
    labels = channel_labels(WILD, len(WILD))
    assert labels[:4] == ["speed", "wheel speed", '"a,b"', '"say \\"x\\""']
    assert labels[-1] == "größe"
    assert len(set(labels)) == len(WILD)
    assert all(label.isprintable() and label for label in labels)
    assert channel_labels(["1", "one"], 2) == ['"1"', "one"]
    assert channel_labels(None, 2) == channel_labels(["a", "a"], 2) == ["1", "2"]


def test_a_spelled_word_is_read_as_itself():
    labels = channel_labels(WILD, len(WILD))
    word = Word(((0, 1, 2), (3, 3), (4,), (5, 6, 7), (8, 9), (10, 11)))
    assert Word.parse(word.spell(labels), labels) == word
    assert Word.parse(str(word), labels) == word
    assert str(word).startswith("[1,2,3][4,4][5]")
    assert Word.parse(' [ temp , "speed" ][2] ', ["speed", "temp"]) == Word(((0, 1), (1,)))


@pytest.mark.parametrize("text", ["[ ]", "[speed,]", "[,speed]", "[speed", '["speed]', "[speed]temp", "[a<b]"])
def test_what_is_no_word_is_not_read(text):
    with pytest.raises(ValueError, match="cannot be read: letters are channels in brackets"):
        Word.parse(text, NAMES)


@pytest.mark.parametrize("build", [df_list, multiindex, nested])
def test_every_container_with_names_gives_named_features(build):
    X = build(ragged())
    assert ISSTransformer(**words("[1][1,2]")).fit(X).get_feature_names_out() == [
        "[channel1][channel1,channel2]|real|end"
    ]


def test_words_signatures_and_brackets_are_spelled_with_names():
    X = frames(panel())
    names = ISSTransformer(**words("[1][1,2]", "[3]")).fit(X).get_feature_names_out()
    assert names.tolist() == ["[speed][speed,temp]|real|end", "[a__b]|real|end"]
    intervals = IntervalISSTransformer(words=["[2][1]"], n_filters=1, pooling="mean").fit(X)
    assert intervals.get_feature_names_out() == ["[temp][speed]|exponential1|mean"]
    pytest.importorskip("iisignature")
    names = SignatureTransformer(depth=2).fit(X).get_feature_names_out()
    assert names[[0, 4]].tolist() == ["[speed]|signature", "[speed][temp]|signature"]
    names = SignatureTransformer(kind="logsignature", windows=2).fit(X).get_feature_names_out()
    assert "[[speed],[[speed],[temp]]]|logsignature|1/2-2/2" in names


def test_times_are_no_channels():
    table = pd.DataFrame(panel()[:, 0], columns=[f"t{t}" for t in range(40)])
    assert ISSTransformer(**words("[1]")).fit(table).get_feature_names_out() == ["[1]|real|end"]


def test_augmentations_hand_on_names_of_channels():
    X = frames(panel())
    chain = make_pipeline(Increments(), ISSTransformer(**words("[1][2]"))).fit(X)
    name = f"[{']['.join(chain[0].get_feature_names_out()[:2])}]|real|end"
    assert chain.get_feature_names_out() == [name]
    assert "speed" in name
    assert set(chain[-1].feature_table()["channels"].iloc[0]) == set(chain[0].get_feature_names_out()[:2])


def test_a_parameter_may_write_words_with_the_names():
    X = panel()
    for transformer in (ISSTransformer, IntervalISSTransformer):
        by_number = transformer(words=["[1][1,2]", "[3]"], pooling="mean").fit(X)
        by_name = transformer(words=["[speed][temp,speed]", "[a__b]"], pooling="mean").fit(frames(X))
        assert by_name.words_ == by_number.words_
        np.testing.assert_array_equal(by_name.transform(frames(X)), by_number.transform(X))
    numbers_win = ISSTransformer(**words("[1]", '["1"]')).fit(frames(X, ["2", "3", "1"]))
    assert [str(word) for word in numbers_win.words_] == ["[1]", "[3]"]
    assert numbers_win.get_feature_names_out().tolist() == ['["2"]|real|end', '["1"]|real|end']


@pytest.mark.parametrize("transformer", [ISSTransformer, IntervalISSTransformer])
def test_an_unknown_channel_is_named_beside_the_known_ones(transformer):
    message = r"word '\[speed\]\[tmp\]' names channel tmp, but the channels of X are speed, temp, a__b"
    with pytest.raises(ValueError, match=message):
        transformer(words=["[speed][tmp]"]).fit(frames(panel()))
    with pytest.raises(ValueError, match=r"word '\[speed\]' cannot be read"):
        transformer(words=["[speed]"]).fit(panel())
    many = [f"sensor{c}" for c in range(30)]
    with pytest.raises(ValueError, match=r"sensor19, \.\.\.$"):
        transformer(words=["[x]"]).fit(frames(np.ones((2, 30, 5)), many))


TABLES = {
    "words": ISSTransformer(pooling=("end", "ppv", "max")),
    "tropical words": ISSTransformer(words="length", semiring="min_plus", pooling=("end", "argmax")),
    "plain words": ISSTransformer(words="length", decay=0, pooling="end", windows="whole", scale=None),
    "low rank": LowRankISSTransformer(n_functionals=30, depth=3, pooling=tuple(POOLINGS), windows=2),
    "interval sums": IntervalISSTransformer(n_filters=2, pooling=("ppv", "end"), windows=2),
    "quantiles over intervals": IntervalQuantileTransformer(words=["[1][2]", "[3]"], max_features=1000),
    "signature": SignatureTransformer(windows=2),
    "logarithm": SignatureTransformer(kind="logsignature"),
    "developments": PathDevelopmentTransformer("SE", n_developments=2, pooling=("ppv", "end")),
    "complex developments": PathDevelopmentTransformer("SU", dim=2, n_developments=2, windows=2),
    "interval developments": IntervalDevelopmentTransformer("SE", n_developments=2, n_filters=2),
    "complex interval developments": IntervalDevelopmentTransformer("SU", dim=2, n_developments=1, pooling="ppv"),
}


def transformer_of(name):
    if isinstance(TABLES[name], SignatureTransformer):
        pytest.importorskip("iisignature", reason="iisignature is an extra")
    return clone(TABLES[name])


@pytest.mark.parametrize("name", TABLES)
def test_a_feature_depends_on_the_channels_that_its_table_lists_and_on_no_other(name):
    X, transformer = panel(), transformer_of(name)
    transformer.fit(frames(X))
    table, features = transformer.feature_table(), transformer.transform(X)
    assert table.index.tolist() == transformer.get_feature_names_out().tolist()
    for c, channel in enumerate(NAMES):
        listed = np.array([channel in channels for channels in table["channels"]])
        changed = X.copy()
        changed[:, c] = np.random.default_rng(1).uniform(0.1, 2.0, changed[:, c].shape)
        moved = np.abs(transformer.transform(changed) - features).max(axis=0) > 1e-9
        assert not moved[~listed].any()
        assert moved[listed].mean() > 0.5  # some maxima, and entries of developments, stay what they are


@pytest.mark.parametrize("name", TABLES)
def test_tables_say_what_the_names_say(name):
    transformer = transformer_of(name).fit(panel())
    table = transformer.feature_table()
    for feature, row in table.iterrows():
        word, *others = feature.split("|")
        assert row["word"] == word
        assert row["window"] in (others[-1], "0/1-1/1")
        for column in {"semiring", "pooling", "kind", "filter"} & set(table.columns):
            assert any(other.startswith(row[column]) for other in others)
        if "part" in table:
            assert ("im" in others) == (row["part"] == "im")
    if "threshold" in table:
        with_threshold = table["pooling"].isin(["ppv", "mpv", "mipv"])
        assert (table["threshold"].notna() == with_threshold).all()
    assert set(table["channels"].explode()) == {"1", "2", "3"}


def test_features_of_low_rank_can_be_recomputed_from_their_table():
    X = panel()
    iss = LowRankISSTransformer(n_functionals=16, depth=3, semiring=("real", "max_plus"))
    features, drawn, table = iss.fit_transform(X), iss.functionals_, iss.feature_table()
    letters = dict(enumerate(zip(drawn.channels.reshape(-1, 3), drawn.taps.reshape(-1, 3, 9), strict=True)))
    for column, (_, row) in enumerate(table.iterrows()):
        places = [tuple(int(n) - 1 for n in letter.split(".")) for letter in row["word"][1:-1].split("><")]
        series = np.diff(X[0]) / iss.difference_scale_[:, np.newaxis]
        if not row["differences"]:
            series = (X[0] - iss.mean_[:, np.newaxis]) / iss.scale_[:, np.newaxis]
        values = []
        for (chain, j), listed, dilation in zip(places, row["letter_channels"], row["dilations"], strict=True):
            channels, own = letters[chain * 3 + j]
            taps = np.zeros((3, row["n_lags"]))
            taps[channels] = own
            seen = [int(channel) - 1 for channel in listed]
            values.append(delay_letter(series[seen], taps[seen], dilation))
        terms = low_rank_increments(np.array(values), semiring=row["semiring"], decay=row["decay"])
        share = (terms[row["level"] - 1 :] > row["threshold"]).mean()
        np.testing.assert_allclose(features[0, column], share, atol=1e-6)
    assert table["level"].value_counts().to_dict() == {1: 144, 2: 96, 3: 48}


def test_level_one_is_the_share_of_time_of_a_convolution_above_the_threshold():
    X = panel()
    iss = LowRankISSTransformer(n_functionals=20, depth=1, quantiles=2).fit(frames(X))
    features, drawn, table = iss.transform(X), iss.functionals_, iss.feature_table()
    for k, (_, row) in enumerate(table.iterrows()):
        chain = int(row["word"].strip("<>").split(".")[0]) - 1
        series = np.diff(X[1]) / iss.difference_scale_[:, np.newaxis] if row["differences"] else None
        if series is None:
            series = (X[1] - iss.mean_[:, np.newaxis]) / iss.scale_[:, np.newaxis]
        (dilation,), n_times = row["dilations"], series.shape[1]
        padded = np.pad(series, ((0, 0), (4 * dilation, 4 * dilation)))
        letter = np.zeros(n_times)
        for channel, taps in zip(drawn.channels[chain, 0], drawn.taps[chain, 0], strict=True):
            if NAMES[channel] in row["channels"]:
                letter += sum(tap * padded[channel, lag * dilation :][:n_times] for lag, tap in enumerate(taps))
        np.testing.assert_allclose(features[1, k], (letter > row["threshold"]).mean(), atol=1e-6)


def test_the_rate_of_decay_of_words_is_listed():
    X = panel()
    assert ISSTransformer().fit(X).feature_table()["decay"].unique().tolist() == [0.1]
    table = ISSTransformer(decay=0, words="weight").fit(X).feature_table()
    assert table["decay"].unique().tolist() == [0.0]
    assert table.loc["[1,2]|real|end|0/1-1/1", ["level", "weight"]].tolist() == [1, 2]


def test_a_table_wants_a_fitted_transformer():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ISSTransformer().feature_table()
