"""Recording what a program sends and what comes back."""
