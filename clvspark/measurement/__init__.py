"""What people did after activation: responses, experiments, incremental value."""
