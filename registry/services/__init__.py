"""Services: the operations of the distribution specification on repositories."""
