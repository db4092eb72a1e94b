# Everything from a bare machine with python3 (3.11 or newer, with venv) and make:
#   make demo    the program at work: on the camera if there is one, else on a clip it makes
#   make test    all tests
#   make train   train on DATASET (default: dataset/; fetched if it is empty)
#   make models  train the shipped models anew, on DATASET and STREETS (photos with boxes)

PYTHON  ?= python3
VENV    ?= .venv
DATASET ?= dataset
PY      := $(VENV)/bin/python
PIP     := $(PY) -m pip --quiet --disable-pip-version-check

.PHONY: demo test train models setup lint clean

demo: $(VENV)/ready
	$(PY) -m mask_detector demo

test: $(VENV)/ready-to-test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(PY) -m pytest $(TESTS)

train: $(VENV)/ready
	@if [ "$(DATASET)" = dataset ] && [ -z "$$(find dataset -mindepth 1 -maxdepth 1 -type d)" ]; then \
	    $(PY) -m mask_detector fetch-dataset; fi
	$(PY) train_mask_detector.py --dataset "$(DATASET)" $(OPTIONS)

THREE := models/mask_detector_3class.keras
SOURCES := --dataset "$(DATASET)" --dataset "$(STREETS)"
# From block 6 on: more than twice the default's time, and righter (docs/accuracy.md).
DEEPER := --fine-tune 100

models: $(VENV)/ready
	@test -n "$(STREETS)" || { echo "say where the photos with boxes are: make models STREETS=DIR"; exit 1; }
	$(PY) train_mask_detector.py $(SOURCES) $(DEEPER) --export none --classes with_mask,without_mask $(OPTIONS)
	$(PY) train_mask_detector.py $(SOURCES) $(DEEPER) --export none --model $(THREE) $(OPTIONS)
	for model in models/mask_detector.keras $(THREE); do \
	    $(PY) -m mask_detector export --model $$model $(SOURCES) || exit 1; done

setup: $(VENV)/ready

# OpenCV with windows needs libGL; a server without it gets the OpenCV that needs none.
$(VENV)/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --use-pep517 -r requirements.txt
	@$(PY) -c 'import cv2' 2>/dev/null || { \
	    echo "OpenCV finds no libGL here: installing the headless one (no windows)"; \
	    $(PIP) uninstall --yes opencv-python && \
	    $(PIP) install --force-reinstall --no-deps 'opencv-python-headless>=4.9,<5' && \
	    $(PY) -c 'import cv2'; }
	@$(PY) -m mask_detector prepare || echo "OpenCV will run the face detector instead"
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready requirements-dev.txt
	$(PIP) install -r requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) output .pytest_cache .ruff_cache build
