"""What a process tells about itself: spans, request metrics and log lines."""
