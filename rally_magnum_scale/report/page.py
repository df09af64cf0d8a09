"""The report page: one HTML file that needs no network and no script."""

from __future__ import annotations

import csv
import dataclasses
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


@dataclasses.dataclass(frozen=True)
class _Part:
    """One iteration, ready for the template.

    :param plots: each plot with its title
    :param search: plot of the search for the highest rate, or None
    :param csv: the plotted values as a ``data:`` URL, or empty
    :param records: all records, compressed, as a ``data:`` URL, or empty
    :param distribution: latency by percentile as SVG, or empty
    :param timeline: the atomic actions as SVG, or empty
    """

    iteration: model.Iteration
    plots: list[tuple[str, str]]
    search: tuple[str, str] | None
    events: list[series.Event]
    csv: str
    records: str
    distribution: str
    timeline: str
    cores: grids.Grid | None
    api: grids.Grid | None

    @property
    def origin(self) -> float:
        """Start of the iteration, in epoch seconds."""
        first = min(one.started_at for one in self.iteration.actions)
        return self.iteration.started_at or first


@dataclasses.dataclass(frozen=True)
class _Section:
    """One workload, ready for the template."""

    workload: model.Workload
    conclusion: conclusion.Conclusion
    headlines: list[tuple[str, verdicts.Verdict]]
    verdicts: list[tuple[verdicts.Verdict, past.Past | None]]
    others: list[model.SlaResult]
    reasons: list[str]
    differences: list[str]
    cleanup_errors: list[str]
    spread: grids.Grid | None
    bays: grids.Grid | None
    changes: grids.Grid | None
    disturbed: list[grids.Grid]
    iterations: list[_Part]
    args: str
    sla: str


def render(
    report: model.Report,
    before: Sequence[storage.StoredRun] = (),
    across: Collection[str] = (),
) -> str:
    """Return the page of a task.

    :param report: the report of the task
    :param before: the history, whose comparable runs are shown beside the
        verdicts
    :param across: conditions in which compared runs may differ
    :returns: a complete HTML page
    """
    every = [i for one in report.workloads for i in one.iterations]
    limit = max(MIN_POINTS, series.MAX_POINTS // max(1, len(every)))
    trends = _known(report, before, across)
    taken = downloads.pack(every)
    packed = iter(taken.addresses)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            conclusion=conclusion.conclude(report.workloads, report.errors),
            sections=[
                _section(number, workload, limit, known, packed)
                for number, (workload, known) in enumerate(
                    zip(report.workloads, trends, strict=True),
                    1,
                )
            ],
            ladder=grids.ladder(report.workloads),
            turnover=_turnover(report.workloads),
            percentiles=PERCENTILES,
            most_columns=MOST_COLUMNS,
            window_s=taken.window_s,
            kubernetes=_kubernetes(report),
        )
    )


def _known(
    report: model.Report,
    before: Sequence[storage.StoredRun],
    across: Collection[str],
) -> list[dict[str, trend.Trend]]:
    """Return the trends for each workload; empty without a history."""
    if not before:
        return [{} for _ in report.workloads]
    return [
        past.trends(run, before, across) for run in new_runs.of_report(report)
    ]


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
    shared = (
        formatting.outcome,
        formatting.stored_outcome,
        formatting.measured,
        formatting.asked,
        formatting.side,
        formatting.margin,
        formatting.margin_percent,
        formatting.number,
        formatting.latency,
        formatting.answered,
        formatting.errors,
        formatting.error_sentence,
        formatting.join_error,
        formatting.load,
        formatting.actions,
        formatting.requests,
        formatting.kind,
    )
    environment.filters.update({one.__name__: one for one in shared})
    environment.filters["minus"] = _minus
    environment.filters["search_sentence"] = searches.sentence
    environment.filters["search_grid"] = searches.grid
    environment.filters["capfirst"] = _capfirst
    environment.globals["glyphs"] = GLYPHS
    return environment


def _minus(text: str) -> str:
    """Replace the hyphen by a minus sign, which is as wide as a plus."""
    return text.replace("-", "\N{MINUS SIGN}")


def _capfirst(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _section(
    number: int,
    workload: model.Workload,
    limit: int,
    known: Mapping[str, trend.Trend],
    packed: Iterator[str],
) -> _Section:
    runs = [one.numbered_run for one in workload.iterations]
    judged = workload.verdicts()
    return _Section(
        workload=workload,
        conclusion=conclusion.conclude([workload]),
        headlines=_headlines(judged),
        verdicts=[(one, past.of(one, known)) for one in judged],
        others=workload.other_results(),
        reasons=conclusion.reasons(judged),
        differences=conclusion.differences(workload),
        cleanup_errors=conclusion.cleanup_errors(workload),
        spread=grids.spread(workload),
        bays=bay_grids.bays(workload.bays()),
        changes=bay_grids.node_changes(runs),
        disturbed=event_grids.every(runs),
        iterations=[
            _part(f"w{number}i{index}", iteration, limit, next(packed))
            for index, iteration in enumerate(workload.iterations, 1)
        ],
        args=_json(workload.args),
        sla=_json(workload.sla),
    )


def _headlines(
    judged: Sequence[verdicts.Verdict],
) -> list[tuple[str, verdicts.Verdict]]:
    """Return the title and the worst verdict of each headline figure."""
    found = [
        (
            title,
            [
                one
                for one in judged
                if (one.criterion, one.bound_key) == (criterion, key)
            ],
        )
        for criterion, key, title in HEADLINES
    ]
    return [(title, verdicts.worst(each)) for title, each in found if each]


def _part(
    identifier: str, iteration: model.Iteration, limit: int, packed: str
) -> _Part:
    found = run_plots.plots(iteration.run, limit)
    return _Part(
        iteration=iteration,
        plots=[(one.title, plot.draw(one, identifier)) for one in found],
        search=_search(identifier, iteration.run.max_rate),
        events=series.events(iteration.run),
        csv=_csv(found[0].points) if found else "",
        records=packed,
        distribution=distribution.draw(
            distribution.find(iteration.run), f"{identifier}-percentiles"
        ),
        timeline=timeline.draw(iteration.actions, f"{identifier}-timeline"),
        cores=(
            grids.cores(iteration.run.throughput)
            if iteration.run.throughput
            else None
        ),
        api=bay_grids.api(iteration.run),
    )


def _turnover(
    workloads: Sequence[model.Workload],
) -> tuple[str, str] | None:
    """Return the sentence of the turnover, and its plot if there is one."""
    found = turnover.find(workloads)
    if found is None:
        return None
    drawn = turnover.draw(found, "task") if found.has_course else ""
    return found.sentence, drawn


def _search(
    identifier: str, found: records.MaxRate | None
) -> tuple[str, str] | None:
    shown = searches.curve(found) if found else None
    if found is None or shown is None:
        return None
    return searches.title(shown), searches.draw(found, identifier)


def _kubernetes(report: model.Report) -> list[tuple[str, str]]:
    """Return the versions and templates of the bays, each once."""
    bays = [one.bay for work in report.workloads for one in work.bays()]
    rows = (
        ("Kubernetes of the bays", [bay.kubernetes_version for bay in bays]),
        ("Bay template", list(map(_template, bays))),
    )
    found = [
        (name, ", ".join(filter(None, dict.fromkeys(texts))))
        for name, texts in rows
    ]
    return [(name, text) for name, text in found if text]


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
    writer.writerow(
        [
            *head.split(),
            *(f"{name}_us" for name in names),
            *(one.replace(" ", "_") for one in answers),
        ]
    )
    for one in points:
        rates = (one.offered_rps, one.achieved_rps, one.failed_rps)
        writer.writerow(
            [
                one.start_s,
                one.seconds,
                one.phase,
                one.step,
                *("" if rate is None else f"{rate:.1f}" for rate in rates),
                *(one.latency_us.get(name) for name in names),
                *(one.versions.get(name, 0) for name in versions),
            ]
        )
    return downloads.address("text/csv", text.getvalue().encode())
