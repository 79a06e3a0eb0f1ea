# One word for each job; every target sets up what it needs.
PYTHON ?= python3
BIN := .venv/bin
# One file is one worker's, in order: files share what takes long to make. Each worker has a model and a homeserver.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help demo test quick check format bench docs clean

help:                     ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

demo: .venv/.run          ## set up and run the main job; says where the contact sheet is
	$(BIN)/stylecrypt demo

test: .venv/.dev          ## set up and run every test
	$(PYTEST)

quick: .venv/.dev         ## run the tests that need neither the model nor a homeserver
	$(PYTEST) -m 'not (model or homeserver or slow)'

check: .venv/.dev         ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.dev        ## put the code into the format that `check` wants
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

docs: .venv/.dev          ## the documents as a site in build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: .venv/.dev         ## speed of this machine
	$(BIN)/stylecrypt bench

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[identity,torch]'
	touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ .venv/.run

clean:                    ## remove what the others made
	rm -rf .venv demo build
