"""Exercises of the notebooks: cNN.py has the cases of `check`, NN.json the names, hints and questions."""
