"""Types that JSON has no form for: arrays, frames, files, images."""
