"""The report page: one HTML file that needs no network and no script."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import jinja2

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import bay_grids
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import distribution
from rally_magnum_scale.report import downloads
from rally_magnum_scale.report import event_grids
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.report import past
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import run_plots
from rally_magnum_scale.report import searches
from rally_magnum_scale.report import series
from rally_magnum_scale.report import timeline
from rally_magnum_scale.report import turnover

PERCENTILES = (
    ("p50", "p50"),
    ("p90", "p90"),
    ("p99", "p99"),
    ("p99_9", "p99.9"),
    ("max", "max"),
)
# Symbols of the states of conclusions, beside the words.
GLYPHS = {conclusion.PASS: "✔", conclusion.FAIL: "✘", conclusion.WARN: "!"}
# The figures at the top of a workload, where the task bounds them.
HEADLINES = (
    ("request_rate", "min_rps", "Request rate"),
    ("max_rate", "min_rps", "Highest rate"),
    ("request_latency", "p99_ms", "p99 latency"),
    ("request_errors", "max_ratio", "Error ratio"),
    ("bay_create_time", "max_s", "Bay usable in"),
    ("bay_delete_time", "max_s", "Bay deleted in"),
)
# All iterations share these points, so that the size of a page is limited;
# with fewer points, plots would look coarse.
MIN_POINTS = 100
# A single row with more columns is shown as a list, which needs no scrolling.
MOST_COLUMNS = 10


def render(
    report: model.Report,
    before: Sequence[storage.StoredRun] = (),
    across: Collection[str] = (),
) -> str:
    """Return the page of a task.

    :param before: the history, whose comparable runs are shown beside the
        verdicts
    :param across: conditions in which compared runs may differ
    """
    every = [i for one in report.workloads for i in one.iterations]
    limit = max(MIN_POINTS, series.MAX_POINTS // max(1, len(every)))
    known: Sequence[Mapping[str, trend.Trend]] = [{}] * len(report.workloads)
    if before:
        now = new_runs.of_report(report)
        known = [past.trends(run, before, across) for run in now]
    packed = downloads.pack(every)
    addresses = iter(packed.addresses)
    turned = turnover.find(report.workloads)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            conclusion=conclusion.conclude(report.workloads, report.errors),
            sections=[
                _section(f"w{number}", workload, limit, trends, addresses)
                for number, (workload, trends) in enumerate(
                    zip(report.workloads, known, strict=True), 1
                )
            ],
            ladder=grids.ladder(report.workloads),
            turnover=turned,
            turnover_plot=turnover.draw(turned, "task")
            if turned and turned.has_course
            else "",
            percentiles=PERCENTILES,
            most_columns=MOST_COLUMNS,
            window_s=packed.window_s,
            kubernetes=_kubernetes(report),
        )
    )


@functools.cache
def environment() -> jinja2.Environment:
    """Return the jinja2 environment of all pages.

    There is one, because it keeps the templates that it has compiled.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rally_magnum_scale.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "minus": _minus,
        "search_sentence": searches.sentence,
        "search_grid": searches.grid,
        "capfirst": _capfirst,
        **{
            one.__name__: one
            for one in (
                records.describe_error,
                formatting.outcome,
                formatting.stored_outcome,
                formatting.margin,
                formatting.margin_percent,
                formatting.number,
                formatting.latency,
                formatting.answered,
                formatting.errors,
                formatting.load,
                formatting.actions,
                formatting.requests,
                formatting.kind,
            )
        },
    }
    environment.globals["glyphs"] = GLYPHS
    return environment


def _minus(text: str) -> str:
    """Replace the hyphen by a minus sign, which is as wide as a plus."""
    return text.replace("-", "\N{MINUS SIGN}")


def _capfirst(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _section(
    identifier: str,
    workload: model.Workload,
    limit: int,
    known: Mapping[str, trend.Trend],
    addresses: Iterator[str],
) -> dict[str, Any]:
    """Return one workload, ready for the template.

    :param limit: intended number of points of a plot
    :param known: trends of the previous runs
    :param addresses: the records of each iteration as ``data:`` URL
    """
    runs = [one.numbered_run for one in workload.iterations]
    judged = workload.verdicts()
    return {
        "workload": workload,
        "conclusion": conclusion.conclude([workload]),
        "headlines": _headlines(judged),
        "verdicts": [(one, past.of(one, known)) for one in judged],
        "others": workload.other_results(),
        "reasons": conclusion.reasons(judged),
        "differences": conclusion.differences(workload),
        "cleanup_errors": conclusion.cleanup_errors(workload),
        "spread": grids.spread(workload),
        "bays": bay_grids.bays(workload.bays()),
        "changes": bay_grids.node_changes(runs),
        "disturbed": event_grids.every(runs),
        "iterations": [
            _iteration(f"{identifier}i{index}", one, limit, next(addresses))
            for index, one in enumerate(workload.iterations, 1)
        ],
        "args": _json(workload.args),
        "sla": _json(workload.sla),
    }


def _headlines(
    judged: Sequence[verdicts.Verdict],
) -> list[tuple[str, verdicts.Verdict]]:
    """Return the title and the worst verdict of each headline figure."""
    by_bound: dict[tuple[str, str], list[verdicts.Verdict]] = {}
    for one in judged:
        by_bound.setdefault((one.criterion, one.bound_key), []).append(one)
    return [
        (title, verdicts.worst(by_bound[criterion, key]))
        for criterion, key, title in HEADLINES
        if (criterion, key) in by_bound
    ]


def _iteration(
    identifier: str, iteration: model.Iteration, limit: int, address: str
) -> dict[str, Any]:
    """Return one iteration, ready for the template."""
    run = iteration.run
    course = series.read(run, limit)
    plots = run_plots.plots(run, course)
    drawn = [(one.title, plot.draw(one, identifier)) for one in plots]
    curve = searches.curve(run.max_rate) if run.max_rate else None
    began = [one.started_at for one in iteration.actions]
    return {
        "number": iteration.number,
        "run": run,
        "raw": iteration.raw,
        "actions": iteration.actions,
        "origin": iteration.started_at or min(began, default=0.0),
        "plots": drawn,
        "search": searches.draw(run.max_rate, identifier)
        if run.max_rate
        else "",
        "search_title": curve.title if curve else "",
        "events": course.events,
        "csv": _csv(course.points) if course.points else "",
        "records": address,
        "distribution": distribution.draw(
            distribution.find(run), f"{identifier}-percentiles"
        ),
        "timeline": timeline.draw(iteration.actions, f"{identifier}-timeline"),
        "cores": grids.cores(run.throughput) if run.throughput else None,
        "api": bay_grids.api(run),
    }


def _kubernetes(report: model.Report) -> list[tuple[str, str]]:
    """Return the versions and templates of the bays, each once."""
    bays = [one.bay for work in report.workloads for one in work.bays()]
    versions = [bay.kubernetes_version for bay in bays]
    rows = (
        ("Kubernetes of the bays", versions),
        ("Bay template", list(map(_template, bays))),
    )
    return [
        (name, ", ".join(filter(None, dict.fromkeys(texts))))
        for name, texts in rows
        if any(texts)
    ]


def _template(bay: bay_records.Bay) -> str:
    """Return a template with its driver and id; names can be reused."""
    found = bay.template_and_driver
    return found if bay.template in found else f"{found}, {bay.template}"


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, indent=2, default=str, ensure_ascii=False)


def _csv(points: Sequence[series.PlotPoint]) -> str:
    """Write points as CSV into a ``data:`` URL."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = [name for name, _ in PERCENTILES]
    head = "start_s seconds phase step offered_rps achieved_rps failed_rps"
    versions = formatting.in_order({v for one in points for v in one.versions})
    answers = [f"answers {formatting.version(one)}" for one in versions]
    latencies = [f"{name}_us" for name in names]
    answers = [one.replace(" ", "_") for one in answers]
    writer.writerow([*head.split(), *latencies, *answers])
    for one in points:
        rates = (one.offered_rps, one.achieved_rps, one.failed_rps)
        writer.writerow(
            [
                *(one.start_s, one.seconds, one.phase, one.step),
                *("" if rate is None else f"{rate:.1f}" for rate in rates),
                *(one.latency_us.get(name) for name in names),
                *(one.versions.get(name, 0) for name in versions),
            ]
        )
    return downloads.address("text/csv", text.getvalue().encode())
