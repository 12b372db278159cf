"""Arrays of xarray, whose dimensions have names."""

from typing import Any

from sigfeat.panel._times import in_order

TIME = "time"
CHANNELS = ("channel", "channels", "variable", "variables", "feature", "features", "sensor", "sensors")


def is_data_array(X: Any) -> bool:
    """Whether X is a DataArray, recognised by its interface."""
    return all(hasattr(X, name) for name in ("dims", "indexes", "to_pandas", "to_numpy"))


def from_data_array(X: Any, what: str) -> tuple[Any, Any, Any]:
    """Values with sorted times as the last axis and channels before them, and the other indices.

    Returns the array, the index of its first dimension and the index of the dimension before the times; an index is
    None if the dimension has none. Raises a ValueError if several dimensions exist and none is called "time", or three
    exist and none is called "channel" or similar.
    """
    dims = [dim for dim in X.dims if dim != TIME]
    if TIME not in X.dims:
        if X.ndim == 1:
            return X.to_numpy(), None, None
        raise ValueError(f'{what} must have a dimension "time", as it is a DataArray, got the dimensions {X.dims}')
    if len(dims) == 2 and not any(str(dim).lower() in CHANNELS for dim in dims):
        raise ValueError(f'{what} must have a dimension "channel", as it is a DataArray, got the dimensions {X.dims}')
    dims.sort(key=lambda dim: str(dim).lower() in CHANNELS)
    array = X.transpose(*dims, TIME).to_numpy()
    order = in_order(X.indexes[TIME], what) if TIME in X.indexes else None
    array = array if order is None else array[..., order]
    first, last = (X.indexes.get(dims[i]) if dims else None for i in (0, -1))
    return array, first, last
