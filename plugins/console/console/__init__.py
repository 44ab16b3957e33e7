"""The project's console: one command that installs, runs, watches and explains the pipeline.

It drives the other programs of this repository by their commands (`meltano`, `warehouse`, `simulator`) and imports none
of them.
"""
