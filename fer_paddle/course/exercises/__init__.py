"""Exercises of the notebooks: modules with the cases of `check`; NN.json: names, hints, questions and plain cases."""
