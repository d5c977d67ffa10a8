"""Files on their way: from texts and URLs into the folder of a call."""
