"""The engines that run the models."""
