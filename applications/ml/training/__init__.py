"""ml-training: from labelled features to a registered model that has passed its gates."""
