"""What whole-pipeline tests share."""
