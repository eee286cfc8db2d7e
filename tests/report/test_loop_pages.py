"""The pages of a loop: rounds, figures and what to do next, and the pseudo-labels of a round, the worst first."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest

import ivos as package
from ivos.loop.records import Round, RoundFiles, ScanDecision, write_decisions, write_rounds
from ivos.loop.settings import LoopSettings
from ivos.pseudo_labels import PseudoLabelSettings, accept
from ivos.report.loop import write_loop_pages
from ivos.training.data.cases import ChosenCases
from ivos.training.data.store import store
from tests.propagation.scenes import moving_discs

if TYPE_CHECKING:
    from pathlib import Path

    from ivos.volume.volume import Volume

SCAN, TRUTH = moving_discs(slices=6, size=32)
NAMES = {3: "ball", 8: "disc"}
VIEWS = ("both_stages", "mirrored", "slices")


def settings(rule: str = "worst-structure", rounds: int = 3, patience: int = 1) -> LoopSettings:
    train = {"data": {"scans": "prepared"}, "steps": 1}
    given = {"train": train, "pseudo_label": {"rule": rule}, "rounds": rounds, "patience": patience}
    return LoopSettings.model_validate(given)


@pytest.fixture
def cases(tmp_path: Path) -> ChosenCases:
    """Four unlabelled scans."""
    paths = [tmp_path / "prepared" / "scans" / f"{case}.b2nd" for case in "abcd"]
    for path in paths:
        store(path, SCAN, None, case=path.stem, fingerprint="")
    return ChosenCases(NAMES, [], paths, [])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loop" / "review").mkdir(parents=True)
    return tmp_path / "loop"


def without(*lost: int) -> Volume:
    return TRUTH.with_array(np.where(np.isin(TRUTH.array, lost), 0, TRUTH.array), NAMES)


def pseudo_labelled(folder: Path, number: int, how: PseudoLabelSettings, lacking: dict[str, list[list[int]]]) -> None:
    """A round whose three views of each case lack some structures; "d" is a case that a person has corrected."""
    files = RoundFiles(folder, number)
    judgements = {"d": ScanDecision(corrected=True, accepted=True, reason="corrected by hand")}
    for case, lost in lacking.items():
        views = [without(*structures) for structures in lost]
        for name, view in zip(VIEWS, views, strict=True):
            package.write(files.predictions / name / f"{case}.nii.gz", view)
        before = RoundFiles(folder, number - 1).consensus / f"{case}.nii.gz"
        judged = accept(views, how, package.read_labels(before) if before.exists() else None)
        package.write(files.consensus / f"{case}.nii.gz", judged.consensus)
        judgements[case] = ScanDecision(
            corrected=False,
            accepted=judged.accepted,
            reason=judged.reason,
            trust=judged.trust,
            structures=judged.structures,
            change=judged.change,
        )
    write_decisions(files, judgements)


def ended(folder: Path, *dscs: float | None) -> None:
    rounds = [
        Round(number=n, labelled=2, pseudo_labelled=2 * (n > 0), validation_dsc=dsc, seconds=60)
        for n, dsc in enumerate(dscs)
    ]
    write_rounds(folder, rounds)


FIRST: dict[str, list[list[int]]] = {"a": [[], [], []], "b": [[], [8], []], "c": [[], [3, 8], []]}


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag != "script"
        assert tag != "img" or given.get("alt")
        self.links += [address for name, address in attrs if name in ("href", "src") and address]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> _Words:
    parser = _Words()
    parser.feed(path.read_text())
    assert not [link for link in parser.links if link.startswith(("http", "//"))]
    return parser


def words(path: Path) -> str:
    return " ".join("".join(read(path).words).split())


def plots(path: Path) -> list[ET.Element]:
    return [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", path.read_text(), re.DOTALL)]  # noqa: S314


def test_the_page_goes_with_the_loop(folder: Path, cases: ChosenCases) -> None:
    how = settings()
    page = folder / "loop.html"
    write_loop_pages(how, folder, cases)
    assert "round 0 of 3 is being trained" in words(page)
    assert not plots(page)
    assert "Round 1 takes them up" in words(page)

    ended(folder, 0.75)
    pseudo_labelled(folder, 1, how.pseudo_label, FIRST)
    write_loop_pages(how, folder, cases)
    assert "round 1 of 3 is being trained" in words(page)
    assert "Round 2 takes them up" in words(page)  # those of round 1 are made
    assert "3 ball, 8 disc, 255 where you cannot tell" in words(page)
    links = [link for link in read(page).links if "://" not in link]
    assert "round_1/review.html" in links
    assert all((folder / link).exists() for link in links if "run/" not in link)

    ended(folder, 0.75, 0.7)
    write_loop_pages(how, folder, cases)
    assert "the loop has ended after round 1" in words(page)
    assert "Run the same command with patience=2: the loop goes on with round 2" in words(page)
    assert "0 (best)" in words(page)
    write_loop_pages(settings(rounds=1, patience=2), folder, cases)
    assert "Run the same command with rounds=2: the loop" in words(page)


def test_the_plots_show_the_figures(folder: Path, cases: ChosenCases) -> None:
    how = settings()
    pseudo_labelled(folder, 1, how.pseudo_label, FIRST)
    ended(folder, 0.75, 0.8)
    write_loop_pages(how, folder, cases)
    scores, shares = plots(folder / "loop.html")
    assert scores.get("aria-label") == "validation DSC by round. DSC: 0: 0.750, 1: 0.800."
    assert shares.get("aria-label", "").endswith("scans: 1: 0.667. structures: 1: 0.500.")  # c has none, b half of them
    points = [c for c in scores.iter() if c.tag.endswith("circle")]
    (x0, y0), (x1, y1) = ((float(c.get("cx", "")), float(c.get("cy", ""))) for c in points)
    assert x0 < x1
    assert y0 > y1  # the better one is higher
    ended(folder, None, None)
    write_loop_pages(how, folder, cases)
    assert len(plots(folder / "loop.html")) == 1
    assert "no fold validates" in words(folder / "loop.html")


def test_corrected_labels_are_accounted_for(folder: Path, cases: ChosenCases) -> None:
    pseudo_labelled(folder, 1, settings().pseudo_label, FIRST)
    ended(folder, 0.7)
    for name in ("d.nii.gz", "a.nii.gz", "<x>.nii.gz"):
        (folder / "review" / name).touch()
    write_loop_pages(settings(), folder, cases)
    told = words(folder / "loop.html")
    assert "Waiting in review for round 2: a." in told
    assert "Taken up by the last round: d." in told
    assert "passed over: <x>.nii.gz" in told  # as text: what a file is called makes no tag


def test_the_review_page_of_a_round(folder: Path, cases: ChosenCases) -> None:
    pseudo_labelled(folder, 1, settings().pseudo_label, FIRST)
    ended(folder, 0.7)
    write_loop_pages(settings(), folder, cases)
    page = folder / "round_1" / "review.html"
    text, told = page.read_text(), words(page)
    order = [text.index(f'nii.gz">{case}</a>') for case in "bcad"]  # corrected ones need no review
    assert order == sorted(order)
    assert 'href="consensus/b.nii.gz"' in text
    assert 'href="labels/d.nii.gz"' in text
    assert "1 of 2 structures excluded: disc" in told
    assert "disc outlined in white" in told
    assert "The next round learns from them instead of pseudo-labels" in told
    assert text.count("data:image/jpeg") == 3
    first = re.findall(r"data:image/jpeg;base64,([^\"]+)", text)[0]
    picture: Any = cv2.imdecode(np.frombuffer(base64.b64decode(first), np.uint8), cv2.IMREAD_COLOR)
    tiles = [picture[:, n * 264 : n * 264 + 260] for n in range(4)]
    white = [(tile.min(axis=2) > 215).sum() for tile in tiles]  # consensus, both stages, mirrored, slices
    assert min(white[0], white[1], white[3]) > 100
    assert white[2] < 20  # it has no disc
    write_loop_pages(settings(), folder, cases)
    assert page.read_text() == text


@pytest.mark.parametrize("rule", ["change", "worst-structure"])
def test_a_structure_that_is_gone_is_warned_of_by_any_rule(folder: Path, cases: ChosenCases, rule: str) -> None:
    how = settings(rule)
    pseudo_labelled(folder, 1, how.pseudo_label, FIRST)
    pseudo_labelled(folder, 2, how.pseudo_label, {"a": [[], [], []], "b": [[8]] * 3, "c": [[], [], []]})
    ended(folder, 0.7, 0.8)
    write_loop_pages(how, folder, cases)
    page = folder / "round_2" / "review.html"
    text, told = page.read_text(), words(page)
    assert "Gone since the previous round: disc in b." in told
    assert "gone since the previous round: disc Look at it: disc." in told
    assert text.index('nii.gz">b</a>') < text.index('nii.gz">a</a>')  # though all three views agree on it
    assert "disc outlined in white, from left to right: consensus" in told
    assert text.index("previous round</figcaption>") < text.index('nii.gz">a</a>')
    assert "Gone since" not in words(folder / "round_1" / "review.html")
    row = re.findall(r"<tr><td>2</td>.*?</tr>", (folder / "loop.html").read_text())[0]
    assert '<td class="gone">1</td>' in row
