"""The house as `docs/architecture.md` draws it: floors, light imports, a README that is true."""

import ast
import re
import tomllib

import pytest
from conftest import ROOT

from mask_detector.types import DEFAULT_CROP_MARGIN

PACKAGE = ROOT / "mask_detector"

# Imports point strictly down: a room may use only rooms of lower floors.
FLOORS = [
    {"__init__", "errors", "labels", "quiet", "capture.prefetching", "profiling", "display",
     "stopping", "leaving", "closing", "cores", "pace", "wording", "file_hash", "replacing",
     "orientations", "photo_names", "split_names", "annotations.photo_files", "synthesis.head_pose",
     "synthesis.mask_shapes", "synthesis.mask_textures"},
    {"web_page", "synthesis.photo_light", "types", "calibration", "runtimes.litert_conversion",
     "runtimes.litert_runtime", "runtimes.onnx_runtime", "lettering", "capture.source_names",
     "home_paths", "networks.plain", "networks.from_keras", "networks.heads", "networks.cost",
     "alarms.sound"},
    {"networks.residual", "images", "figures", "config_file", "assets", "model_file",
     "checkpoints", "public_dataset", "blurring", "runtimes.litert_model", "runtimes.onnx_model",
     "runtimes.onnx_conversion", "frozen_network", "annotations.pascal_voc", "annotations.coco",
     "detection_scores", "intervals", "face_boxes", "ssd.caffe_description", "ssd.file",
     "ssd.shapes", "ssd.blobs", "events.records", "capture.captures"},
    {"keras_files", "foreign_models", "copies.turned_copies", "explaining.activation_maps",
     "drawing", "mosaic", "capture.stills", "capture.thread", "people", "alarms.rules",
     "alarms.addresses", "compliance.counting", "events.lines", "architectures",
     "annotations.yolo", "annotations.cutting_out", "synthesis.drawn_masks"},
    {"annotations.formats"},
    {"curves", "dataset", "copies.fingerprints", "copies.photo_groups", "comparison.verdict",
     "splitting", "training_options", "input_pipeline", "evaluation", "plots",
     "mask_classifiers", "engines", "runtimes.rounding", "capture.reconnecting", "sinks",
     "tracking", "montage", "benchmark.frame_file", "mtcnn_detector", "ssd.network",
     "ssd.opencv", "events.log", "events.reading", "alarms.sending", "snapshots",
     "compliance.report", "explaining.heat_drawing", "explaining.label_checks"},
    {"curve_plot", "evaluation_summary", "sources", "window", "summaries", "guard", "health",
     "compliance.tables", "compliance.plot", "watching", "ssd.litert"},
    {"evaluation_pictures", "health_server", "compliance.page", "ssd.by_shape",
     "explaining.explainer"},
    {"face_detectors"},
    {"synthesis.face_landmarks", "audit", "feature_cache", "training_stages", "pipeline",
     "pyramid", "demo", "runtimes.parity", "benchmark.classic_loop", "benchmark.machine"},
    {"parts"},
    {"synthesis.drawn_sets", "audit_report", "training_data", "face_crops", "training",
     "chain.judging", "export", "benchmark.frames", "ssd.scenes", "ssd.preparation"},
    {"training_result", "chain.evaluation", "benchmark.child"},
    {"comparison.training", "comparison.report", "comparison.plot", "chain.report",
     "chain.disagreements", "crop_evaluation", "benchmark.process"},
    {"crop_report", "benchmark.measuring"},
    {"benchmark.report", "benchmark.plot", "explaining.mistakes"},
    {"explaining.mistakes_page"},
    {"commands.argument_types"},
    {"commands.shared", "commands.cropping"},
    {"commands.evaluating", "commands.evaluating_chain", "commands.looking"},
    {"commands.audit", "commands.train", "commands.image", "commands.guarding",
     "commands.outputs", "commands.fetch_dataset", "commands.evaluate", "commands.export",
     "commands.prepare", "commands.report", "commands.crops", "commands.synthesize"},
    {"commands.compare", "commands.video", "commands.explain", "commands.mistakes"},
    {"commands.demo", "commands.benchmark", "commands.check"},
    {"cli"},
    {"__main__"},
]  # fmt: skip
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py" or path.parent == PACKAGE
}
FOLDERS = {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}


def rooms_imported_by(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("mask_detector."):
            room = f"{node.module}.".removeprefix("mask_detector.").removesuffix(".")
            names = [f"{room}.{alias.name}".strip(".") for alias in node.names]
            yield from names if room in FOLDERS else [room] if room else set(names) & set(FILES)


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_a_folder_says_what_it_is_for_and_does_nothing(folder):
    (docstring,) = ast.parse(FOLDERS[folder].read_text()).body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value.value, str)


def test_the_folders_are_packed():
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {f"mask_detector.{folder}" for folder in FOLDERS} <= set(packed)


def test_every_file_has_a_floor_and_every_floor_its_files():
    assert set(FLOOR_OF) == set(FILES)


@pytest.mark.parametrize("room", sorted(FILES))
def test_imports_point_strictly_down(room):
    for below in rooms_imported_by(FILES[room]):
        assert FLOOR_OF[below] < FLOOR_OF[room], f"{room} imports {below}"


@pytest.mark.parametrize("room", sorted(FILES))
def test_a_file_is_short_and_says_first_what_it_is_for(room):
    source = FILES[room].read_text()
    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 300


def test_the_floors_are_those_of_the_picture():
    """`docs/architecture.md` draws them from above; `folder/{a, b}` are two rooms of a folder."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    picture = text[text.index("      cli\n") : text.index("The rooms that everything")]
    drawn = []
    for floor in re.split(r"(?m)^ +\|$", picture):
        rooms = set()
        for folder, several, one in re.findall(r"(\w+/)?(?:\{([^}]*)\}|(\w+))", floor):
            names = re.findall(r"\w+", several or one)
            rooms |= {folder.replace("/", ".") + name for name in names}
        drawn.append(rooms)
    assert drawn == [FLOORS[n] - {"__init__"} for n in range(FLOOR_OF["cli"], -1, -1)]


def test_only_the_command_line_prints():
    for room, path in FILES.items():
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        prints = [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
        assert not prints or room == "cli" or room.startswith("commands."), room


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["video", "--help"]])
def test_help_loads_nothing_heavy(arguments, run):
    code = (
        "import sys\n"
        "from mask_detector.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'cv2', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_finding_faces_and_auditing_never_import_tensorflow(run):
    code = (
        "import sys, mask_detector.face_detectors, mask_detector.sources, mask_detector.sinks\n"
        "import mask_detector.audit_report, mask_detector.mask_classifiers\n"
        "import mask_detector.demo, mask_detector.pipeline\n"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def readme_lines():
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_every_option_and_verb_the_readme_names_exists(run):
    checked, helps = 0, {}
    for line in readme_lines():
        match = re.match(r"(?:\S*python\S* )(train_mask_detector\.py|detect_mask_video\.py|"
                         r"-m mask_detector \S+)(.*)", line)  # fmt: skip
        if not match:
            continue
        verb = {"train_mask_detector.py": "train", "detect_mask_video.py": "video"}.get(
            match[1], match[1].split()[-1]
        )
        if verb not in helps:
            done = run("-m", "mask_detector", verb, "--help")
            assert done.returncode == 0, line
            helps[verb] = done.stdout
        for option in re.findall(r"(?<=\s)--?[a-z][a-z-]*", match[2]):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", helps[verb]), f"{option}: {line}"
        checked += 1
    assert checked >= 5


def test_every_make_target_the_readme_names_exists():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    named = [line.split()[1] for line in readme_lines() if line.startswith("make ")]
    assert {"demo", "test"} <= set(named) <= set(targets)


def test_the_help_says_every_default(run):
    done = run("train_mask_detector.py", "--help")
    text = " ".join(done.stdout.split())
    for option, default in {
        "--dataset": "dataset", "--model": "models/mask_detector.keras",
        "--epochs": "0", "--batch-size": "32",
        "--learning-rate": "0.0", "--fine-tune": "-1", "--fine-tune-epochs": "0",
        "--views": "6", "--crop": "auto", "--kernels": "int8", "--image-size": "0",
        "--seed": "42",
        "--split-seed": "42", "--backbone-weights": "auto", "--architecture": "mobilenet_v2",
        "--width-multiplier": "1.0",
        "--crop-margin": str(DEFAULT_CROP_MARGIN), "--face": "face_detector",
    }.items():  # fmt: skip
        explained = re.findall(rf"{option} (?:[A-Z_]+|{{.*?}}) (.*?)(?= --\S+ [A-Z{{]|$)", text)[-1]
        assert f"(default: {default})" in explained
