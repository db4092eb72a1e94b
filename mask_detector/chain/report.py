"""The figures of `chain.evaluation` in words, for people and for choosing settings."""

from __future__ import annotations

from mask_detector.chain.evaluation import (
    BoxOffsets,
    ChainReport,
    FoundScore,
    PrecisionScore,
)
from mask_detector.evaluation import SIZE_NAMES
from mask_detector.wording import counted, table_lines


def chain_text(report: ChainReport, detector_name: str) -> str:
    """Everything about one setting, some 30 lines."""
    faces = ", ".join(f"{name} {count}" for name, count in report.faces.items())
    setting = report.setting
    lines = [
        f"{counted(report.photos, 'photo')} with "
        f"{counted(sum(report.faces.values()), 'face')}: {faces}",
        f"detector {detector_name}, confidence {setting.confidence:g}, detect size "
        f"{setting.detect_size or 'default'}, crop margin {setting.margin:g}",
    ]
    if report.unreadable:
        lines.append(f"{counted(report.unreadable, 'unreadable photo')} left out")
    if report.unknown_classes:
        lines.append(f"ignored, the model does not know: {', '.join(report.unknown_classes)}")
    lines += ["", *_precision_lines(report.precision)]
    for found in report.found:
        lines += ["", *_found_lines(found, report.not_sure)]
    return "\n".join(lines)


def _precision_lines(scores: tuple[PrecisionScore, ...]) -> list[str]:
    """Rows are overlap and size, columns the mean and the classes; after it the ceiling."""
    names = list(scores[0].per_class)
    head = ["average precision", "mean", "95 % interval", *names, "ceiling"]
    rows = [
        [
            f"IoU {score.iou}, {_sizes(score.min_side)}",
            _number(score.mean),
            f"{_number(score.interval[0])}-{_number(score.interval[1])}",
            *(_number(score.per_class[name]) for name in names),
            _number(score.ceiling),
        ]
        for score in scores
    ]
    return [
        *table_lines([head, *rows]),
        "ceiling: the mean, were every found face given its true label; what is missing from it "
        "to 1 is the detector's, from the mean to it the classifier's",
    ]


def _sizes(min_side: int) -> str:
    return f"faces >={min_side} px" if min_side else "all faces"


def _found_lines(score: FoundScore, not_sure: float) -> list[str]:
    head = [
        *(f"faces found, IoU {score.iou}", *SIZE_NAMES, "all", "right verdicts"),
        f"right of the sure (>={not_sure:.3g})",
    ]
    rows = []
    for name, found in score.found.items():
        row = [name, *(_part(found[size]) for size in (*SIZE_NAMES, "all"))]
        row.append(_part(score.right[name]) if name in score.right else "-")
        row.append(_part(score.sure_right[name]) if name in score.right else "-")
        rows.append(row)
    return [
        *table_lines([head, *rows]),
        f"false boxes per photo {score.false_boxes_per_photo:.2f} (with a sure verdict "
        f"{score.sure_false_boxes_per_photo:.2f}), further boxes on a found face "
        f"{score.double_boxes_per_photo:.2f}",
    ]


def sweep_text(reports: list[ChainReport], offsets: dict[int, BoxOffsets]) -> str:
    """One line per setting, then how the detector's boxes lie beside the annotated ones."""
    first, loosest = reports[0], reports[0].found[0]
    head = [
        *("size", "confidence", "margin"),
        *(f"mean AP {score.iou}" for score in first.precision),
        *(f"ceiling {first.precision[0].iou}", "right"),
        *(f"found {name}" for name in first.faces),
        "false boxes per photo",
    ]
    title = (
        f"{first.photos} photos; mean AP at IoU {' and '.join(str(s.iou) for s in first.found)} of "
        f"{_sizes(first.precision[0].min_side)}; found, right and false at IoU {loosest.iou} of all"
    )
    rows = [_sweep_row(report) for report in reports]
    lines = [title, *table_lines([head, *rows])]
    lines += ["", "annotated boxes beside the detector's, medians:"]
    for size, offset in offsets.items():
        lines.append(
            f"size {size or 'default'}: centre {offset.dx:+.3f} right, {offset.dy:+.3f} down (of "
            f"the box); log width {offset.log_width:+.3f}, log height {offset.log_height:+.3f}; "
            f"{counted(offset.n, 'face')}"
        )
    return "\n".join(lines)


def _sweep_row(report: ChainReport) -> list[str]:
    setting, found = report.setting, report.found[0]
    right, judged = (sum(counts) for counts in zip(*found.right.values(), strict=True))
    return [
        str(setting.detect_size or "default"),
        f"{setting.confidence:g}",
        f"{setting.margin:g}",
        *(_number(score.mean) for score in report.precision),
        _number(report.precision[0].ceiling),
        _ratio(right, judged),
        *(_ratio(*found.found[name]["all"]) for name in report.faces),
        f"{found.false_boxes_per_photo:.2f}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _ratio(count: int, whole: int) -> str:
    return f"{count / whole:.3f}" if whole else "-"


def _part(counts: tuple[int, int]) -> str:
    return f"{counts[0]}/{counts[1]} {_ratio(*counts)}" if counts[1] else "-"
