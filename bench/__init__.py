"""The benchmark: ours beside other servers, in one run, on one machine, with durability on."""
