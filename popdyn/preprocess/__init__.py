"""Steps between a tensor and an analysis: smooth, normalize, select, pool."""
