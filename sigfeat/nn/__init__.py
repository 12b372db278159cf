"""Everything that computes with torch."""

from sigfeat.nn.development import Development, development, random_algebra
from sigfeat.nn.groups import GROUPS, Group

__all__ = ["GROUPS", "Development", "Group", "development", "random_algebra"]
