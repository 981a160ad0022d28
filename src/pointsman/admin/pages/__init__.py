"""The pages of the management API, complete in themselves: no asset comes from anywhere else."""
