"""What scaling would do with a load, in virtual time: the same decisions, no replica started."""
