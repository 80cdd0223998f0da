"""A model of features, trained on what people did next, that challenges the probability models."""
