"""Which unit of a neighbour's model does what which own unit does."""
