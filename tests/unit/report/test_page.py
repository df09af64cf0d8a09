import base64
import dataclasses
import functools
import gzip
import re
from html import parser

import pytest

from rally_magnum_scale.report import model
from rally_magnum_scale.report import new_runs
from rally_magnum_scale.report import page
from tests.unit import factories

NASTY = "<script>alert('&')</script>"
VOID = {"meta", "br"}


class Outline(parser.HTMLParser):
    """Holds every tag closed and every id used once."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def invalid_run():
    return factories.run(
        reasons=["worker rms-worker-2 died"],
        failures={"timeout": 40},
        without=(8,),
        events=[factories.event(20, "worker_died", NASTY)],
    )


def three_iterations():
    return factories.workload(
        *(
            factories.iteration(n, factories.run(iteration=n))
            for n in (1, 2, 3)
        )
    )


REPORTS = {
    "good": factories.report(),
    "failed": factories.report(factories.failed_create()),
    "invalid": factories.report(
        factories.workload(factories.iteration(of_run=invalid_run()))
    ),
    "three": factories.report(three_iterations()),
    "two workloads": factories.report(
        factories.workload(), factories.failed_create()
    ),
    "broken context": factories.report(
        factories.workload(
            iterations=(),
            contexts=(
                model.ContextResult("users", 1.0, 2.0),
                model.ContextResult("bays", 1.0, 2.0, (NASTY, NASTY, NASTY)),
            ),
        )
    ),
    "refused": factories.report(workloads=(), errors=(NASTY,)),
    "no iteration": factories.report(factories.workload(iterations=())),
    "no workload": factories.report(workloads=()),
    "updated": factories.report(
        factories.workload(factories.iteration(of_run=factories.updated()))
    ),
    "lost nodes": factories.report(
        factories.workload(
            factories.iteration(
                of_run=factories.broken(
                    factories.fault(nodes=[NASTY], reason=NASTY, how=NASTY)
                )
            )
        )
    ),
}


@functools.cache
def rendered(name):
    return page.render(REPORTS[name])


def test_the_verdict_comes_first():
    text = rendered("good")
    body = text[text.index("<body>") :]
    assert "✔</span> All 8 bounds hold." in body
    assert body.index("All 8 bounds hold") < body.index("<h2")
    assert body.index("<h3>Verdicts") < body.index("<h3>Load")


@pytest.mark.parametrize("name", REPORTS)
def test_every_page_is_well_formed_and_loads_nothing(name):
    text = rendered(name)
    outline = Outline(text)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert not re.search(r"https?://|//[a-z]|@import|<script", text)
    for tag, attributes in outline.tags:
        assert tag not in {"script", "link", "img", "iframe"}
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        if "href" in attributes:
            assert attributes["href"] == "#main" or re.match(
                "data:(text/csv|application/gzip);base64,", attributes["href"]
            )
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}


def test_each_bound_has_value_bound_margin_and_verdict():
    sla = {**factories.GOOD_SLA, "bay_create_time": {"max_s": 1}}
    text = page.render(factories.report(factories.workload(sla=sla)))
    row = next(
        one for one in text.split("<tr>")[1:] if "bay_create_time" in one
    ).partition("</tr>")[0]
    cells = re.sub(r"<[^>]+>", "|", row)
    for part in (
        "✘ fails",
        "12.4 s",
        "at most 1 s",
        "\u221211.4 s",
        "\u22121,140 %",
    ):
        assert part in cells
    assert "1 of 8 bounds does not hold" in text


def headlines(text):
    """Return the words of each headline figure, in order."""
    part = text.partition('<dl class="headlines">')[2].partition("</dl>")[0]
    return [
        " ".join(re.sub(r"<[^>]+>", " ", one).split())
        for one in part.split("<div")[1:]
        for one in [one.partition(">")[2]]
    ]


def test_the_headline_figures_stand_above_the_verdicts():
    text = rendered("good")
    assert text.index('class="headlines"') < text.index("<h3>Verdicts")
    assert headlines(text) == [
        "Request rate 19,849 rps at least 19,000 rps, step 2 ✔ holds",
        "p99 latency 2.951 ms at most 50 ms, step 2 ✔ holds",
        "Error ratio 0 at most 0.001, step 2 ✔ holds",
        "Bay usable in 12.4 s at most 60 s ✔ holds",
        "Bay deleted in 3.2 s at most 30 s ✔ holds",
    ]


def test_a_headline_figure_is_that_of_the_worst_iteration():
    good = factories.run(iteration=2)
    text = page.render(
        factories.report(
            factories.workload(
                factories.iteration(1),
                factories.iteration(2, dataclasses.replace(good, bays=())),
                sla={"bay_create_time": {"max_s": 60}},
            )
        )
    )
    (only,) = headlines(text)
    assert only.startswith("Bay usable in")
    assert "✔" not in only


def test_no_headline_stands_where_nothing_is_bounded():
    text = page.render(factories.report(factories.workload(sla={})))
    assert 'class="headlines"' not in text


def test_what_rally_judged_itself_is_there():
    text = rendered("good")
    assert "Failure rate criteria 0.00% &lt;= 0.00% - Passed" in text


def test_a_failed_create_says_so_with_its_sentence():
    text = rendered("failed")
    assert "Iteration 1 failed." in text
    assert "raise the quota or ask for fewer nodes." in text
    assert "CREATE_FAILED (quota): Quota exceeded for cores" in text
    assert "no load was measured" in text
    assert "Rate over time" not in text
    assert "magnum.create_bay after 0 s for 12.4 s, failed." in text


def test_an_invalid_run_is_marked_in_words_and_in_the_plots():
    text = rendered("invalid")
    assert "invalid</td>" in text
    assert "step 1 does not count" in text
    assert ">windows missing<" in text
    assert "no window was read for 1 s" in text
    assert re.search(r"fill: var\(--page\)[^>]*>1</text>", text)
    assert "no: worker rms-worker-2 died; 26 windows were read" in text


def test_hollow_nodes_are_told():
    text = rendered("good")
    assert "<dt>Real</dt><dd>1</dd>" in text
    assert "<dt>Hollow</dt><dd>199</dd>" in text
    assert "Node objects without a machine" in text


def test_nothing_is_written_unescaped():
    nasty = factories.workload(
        factories.iteration(of_run=invalid_run(), error=(NASTY, NASTY, NASTY)),
        title=NASTY,
        description=NASTY,
        scenario=NASTY,
        args={NASTY: NASTY},
    )
    text = page.render(
        factories.report(nasty, versions={NASTY: NASTY}, environment=NASTY)
    )
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 9


def test_each_iteration_has_its_plots():
    text = rendered("three")
    # Rate and latency, latency by percentile, what was done when.
    assert text.count("<figure>") == 3 * 4
    assert text.count('role="img"') == 3 * 4
    assert "Load, iteration 3" in text
    assert "All 8 bounds hold." in text


def test_without_an_iteration_the_page_says_so():
    text = rendered("no iteration")
    assert "No iteration ran" in text
    assert "7 of 8 bounds do not hold" in text


def test_the_plotted_figures_can_be_taken_along():
    text = rendered("good")
    found = re.search(r'href="data:text/csv;base64,([^"]+)"', text)
    lines = base64.b64decode(found[1]).decode().splitlines()
    assert lines[0].startswith("start_s,seconds,phase,step,offered_rps,")
    assert len(lines) == 28


def test_an_hour_of_windows_stays_small():
    run = factories.hour()
    assert len(run.windows) > 3600
    assert len(run.windows[0].latency_us.counts) > 1000
    text = factories.hour_page()
    assert len(text.encode()) < 3e6
    assert "All records with windows of up to 10 s, JSON lines" in text
    assert "as measured are too many for a page" in text


def test_all_records_can_be_taken_along():
    raw = '{"record":"bay"}\n{"record":"end"}'
    one = factories.workload(factories.iteration(raw=raw))
    text = page.render(factories.report(one))
    found = re.search(r'href="data:application/gzip;base64,([^"]+)"', text)
    assert gzip.decompress(base64.b64decode(found[1])).decode() == raw
    assert 'download="records-1.jsonl.gz"' in text
    assert "All records as measured, JSON lines" in text
    assert "too many" not in text
    assert "gzip" not in rendered("good")


def test_comparable_runs_before_stand_beside_the_verdicts():
    report = factories.report()
    (own,) = new_runs.of_report(report)
    before = [
        dataclasses.replace(own, task=f"{days}", at_s=own.at_s - days * 86_400)
        for days in range(1, 4)
    ]
    text = page.render(report, before)
    cell = '<td data-name="Earlier runs">'
    # Not that of a criterion of Rally's own.
    assert text.count(cell) == 7
    assert f"{cell}<span" in text
    assert "12.4 s in 3 runs before; now the same" in text
    other = dataclasses.replace(own.conditions, nodes="3 (2 hollow)")
    different = [dataclasses.replace(one, conditions=other) for one in before]
    for runs in ((), different, [own]):
        assert "Earlier runs" not in page.render(report, runs)
    assert "12.4 s in 3 runs before" in page.render(
        report, different, ["nodes"]
    )


def test_workloads_are_compared_before_each_is_told():
    text = rendered("two workloads")
    ladder = text.index('<h2 id="ladder">Side by side</h2>')
    assert ladder < text.index('<h2 id="w1">')
    assert '<td class="word fail" data-name="Verdict">✘ BROKEN</td>' in text
    assert 'id="ladder"' not in rendered("good")


def test_iterations_are_summed_up_on_the_page():
    text = rendered("three")
    assert "3 iterations, none of them failed." in text
    assert "<h3>Iterations</h3>" in text
    assert "<h3>Iterations</h3>" not in rendered("good")


def test_a_reason_is_told_once_below_the_verdicts():
    text = rendered("broken context")
    assert text.count("no bay was created") == 1
    assert "bay_create_time max_s, bay_delete_time max_s: no bay was" in text


def test_a_verdict_says_where_it_was_found():
    sla = {
        "request_rate": {"min_rps": 1},
        "request_errors": {"max_ratio": 1, "during": "update"},
        "rolling_update_time": {"max_s": 60, "max_s_per_target": 1},
    }
    run = factories.updated()
    text = page.render(
        factories.report(
            factories.workload(factories.iteration(of_run=run), sla=sla)
        )
    )
    for place, count in (("step 2", 1), ("update 1", 3)):
        assert text.count(f'<td data-name="Where">{place}</td>') == count
    assert "2.4 s/target" in text
    assert "at most 1 s/target" in text
    assert (
        "rolling_update_time max_s_per_target of update 1: 2.4 s/target, "
        "but at most 1 s/target is required"
    ) in text


def test_what_befell_a_load_is_told_before_the_load():
    text = rendered("updated")
    where = text.index("<h3>Updates under load</h3>")
    assert text.index("<h3>Verdicts") < where < text.index("<h3>Load")
    assert "&lt;script&gt;" in rendered("lost nodes")
