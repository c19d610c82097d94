"""The commands that change jobs: by their ids, or all that some options choose."""
