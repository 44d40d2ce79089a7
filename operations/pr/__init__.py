"""What a pull request is checked with besides its tests; the workflows and `make pr` run the same."""
