"""Services for the operator: operations on the whole registry, beside the specification's."""
