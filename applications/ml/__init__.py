"""The ML layer: features from the silver tables, training of the risk model, and its serving."""
