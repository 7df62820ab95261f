# `make demo` and `make test` need python3 (3.10 to 3.12), make and PyPI; the rest is installed into .venv.
# All paths are relative and every name is quoted: the folder may have spaces or Chinese characters in its path.

PYTHON ?= python3
# Other versions are tried only where nobody has named one by PYTHON=...
PYTHONS := "$(PYTHON)" $(if $(filter file,$(origin PYTHON)),python3.11 python3.10 python3.12)
FITS := import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))

# Any other Paddle, as in `make test PADDLE=3.3.1`, gets an environment of its own beside .venv.
USUAL_PADDLE := $(shell sed -n 's/^paddlepaddle==//p' requirements.txt)
PADDLE ?= $(USUAL_PADDLE)
VENV := .venv$(if $(filter-out $(USUAL_PADDLE),$(PADDLE)),-$(PADDLE))
VENV_PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed

.PHONY: help demo test check notebooks zh messages kernel clean

help:
	@echo "make demo       find faces and name expressions in two images; writes out/"
	@echo "make test       run the test suite, notebooks included"
	@echo "make check      lint, format, types, import contracts; under a minute"
	@echo "make notebooks  run every notebook from top to bottom and save its outputs"
	@echo "make zh         build the Chinese notebooks, notebooks/zh/"
	@echo "make messages   compile the Chinese of the command lines after a change of fer_paddle.po"
	@echo "make kernel     let Jupyter offer .venv as a kernel"
	@echo "make clean      remove out/ and the caches; .venv, runs/ and the data stay"
	@echo "The first run makes .venv (about 2 GB) and installs requirements.txt into it."
	@echo "PADDLE=3.3.1 behind any of these uses that version, in .venv-3.3.1; TESTS=tests/yolo3tiny runs a part."

demo: $(INSTALLED)
	$(VENV_PY) -m fer_paddle demo --out out

# One thread a worker: nearly every test computes on one.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(VENV_PY) -m pytest -n 2 --dist worksteal $(TESTS)

check: $(INSTALLED)
	$(VENV_PY) -m ruff check .
	$(VENV_PY) -m ruff format --check .
	$(VENV_PY) -m mypy
	$(VENV_PY) -c 'from importlinter.cli import lint_imports_command as lint; lint()'

notebooks: $(INSTALLED)
	find notebooks -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' -exec \
	  env PYTHONPATH="$$PWD" $(VENV_PY) -m nbconvert --to notebook --execute --inplace {} +

zh: $(INSTALLED)
	$(VENV_PY) -m fer_paddle course build

messages: $(INSTALLED)
	$(VENV_PY) -c 'from babel.messages.frontend import main; main()' compile -D fer_paddle -d fer_paddle/locale

kernel: $(INSTALLED)
	$(VENV_PY) -m ipykernel install --user --name fer_paddle-$(PADDLE) --display-name "fer_paddle (Paddle $(PADDLE))"

clean:
	rm -rf out .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build *.egg-info
	find fer_paddle yolo3tiny tests notebooks -type d '(' -name __pycache__ -o -name .ipynb_checkpoints ')' \
	  -exec rm -rf {} +

# Touched last: an interrupted installation starts again. The search for a Python ends with '', none.
$(INSTALLED): requirements.txt requirements-common.txt
	@$(VENV_PY) -c 'import pip; $(FITS)' 2>/dev/null || { \
	  for python in $(PYTHONS) ''; do "$$python" -c '$(FITS)' 2>/dev/null && break; done; \
	  test -n "$$python" || { \
	    echo "expected Python 3.10, 3.11 or 3.12 with venv, found none as:" $(PYTHONS) "(make PYTHON=/path/to/python3.11)" >&2; \
	    exit 1; }; \
	  echo "Making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV); }
	$(VENV_PY) -m pip install --disable-pip-version-check -r requirements-common.txt paddlepaddle==$(PADDLE)
	@touch $@
