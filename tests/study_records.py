"""Records of teachers and students as the study of Hyena against attention keeps them, without a training."""

from benchmarks.hyena_vs_mha.attention_map import GROUPS, PROPERTIES
from benchmarks.similarity import MEASURES

CIRCUMSTANCES = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "abc",
    "cpu": "a processor",
    "n_cpus": 2,
    "system": "a system",
    "python": "3.11",
    "versions": {"torch": "2.13", "sigfeat": "0.1"},
    "config": {"orders": [1, 2], "seeds": 2, "max_epochs": None},
}


def teacher(seed=0, score=1.0, data_set="Motions", objective="supervised", mixes=True, unit="accuracy"):
    return {
        "kind": "teacher",
        "data_set": data_set,
        "unit": unit,
        "objective": objective,
        "seed": seed,
        "mixes": mixes,
        "n_train": 40,
        "n_test": 30,
        "n_channels": 6,
        "n_timepoints": 100,
        "seconds": 9.0,
        "transform_seconds": 0.02,
        "n_parameters": 70000,
        "score": score,
        "commit": "abc",
        "date": "2026-01-02T03:04:05+00:00",
    }


def both(seed=0, score=1.0, gap=0.5, unit="accuracy", **where):
    """A teacher, and the network without mixing, which is worse by `gap`."""
    without = score - gap if unit == "accuracy" else score + gap
    shared = {"seed": seed, "unit": unit} | where
    return [teacher(score=score, **shared), teacher(score=without, mixes=False, **shared)]


def student(
    name, token_r2, seed=0, score=1.0, data_set="Motions", objective="supervised", unit="accuracy", correlation=0.5
):
    return {
        "kind": "student",
        "data_set": data_set,
        "unit": unit,
        "objective": objective,
        "seed": seed,
        "student": name,
        "seconds": 20.0 + seed,
        "transform_seconds": 0.03,
        "n_parameters": 80000,
        "score": score,
        "agreement": 0.9,
        "fidelity": {"pooled_r2": token_r2 + 0.01, "token_r2": token_r2, "cosine": 0.99},
        "similarity": {measure: {"value": 0.9, "random": 0.1} for measure in MEASURES}
        | {"PWCCA": {"value": None, "random": None}},
        "layers": [[1.0, 0.5, 0.1], [0.5, 0.9, 0.6], [0.1, 0.5, 0.95]],
        "attention": {
            name: {
                "rank_correlation": correlation,
                "property": [0.1 + k for k in range(GROUPS)],
                "error": [0.01 * (k + 1) for k in range(GROUPS)],
            }
            for name in PROPERTIES
        },
        "health": {
            "step": [1, 5, 10],
            "loss": [3.0, 2.0, 1.0],
            "gradient_norm": [9.0, 3.0, 1.0],
            "largest_gradient_norm": 10.0 + seed,
            "signal": [[1.0, 1.5, 2.0], [1.0, 2.0, 4.0]],
        },
    }


def skilled(skills, gap=0.5, **where):
    """Teachers with a gap, and students with these skills on tokens by seed; their controls have an R2 of 0."""
    n_seeds = max(map(len, skills.values()))
    found = [record for seed in range(n_seeds) for record in both(seed, gap=gap, **where)]
    found += [student("control", 0.0, seed, **where) for seed in range(n_seeds)]
    return found + [
        student(name, value, seed, **where) for name, values in skills.items() for seed, value in enumerate(values)
    ]
