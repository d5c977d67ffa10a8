"""Where a call goes: route, split, balance. Pure functions over an immutable snapshot."""
