"""Converts executed notebooks into pages of the report that work offline: MathML formulas, no scripts."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import latex2mathml.converter
import nbformat
from jinja2 import pass_context
from markupsafe import Markup
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from recsys.runs.report.experiments import page_of

RECORD_LINK = re.compile(r"experiments/reference/([^/]+)/([^/]+)/record\.json(?:#(.*))?$")
NOTEBOOK_LINK = re.compile(r"^(?:\.\./notebooks/|\./)?(\d\d_\w+)\.ipynb(?:#.*)?$")
# A tqdm bar: "rates of lora:  33%|███▎      | 1/3 [00:02<00:04,  2.1s/it]", "0step [00:00, ?step/s]".
PROGRESS = re.compile(r"\d+%\|.*\| [\d.,?kMG]+/[\d.,?kMG]+|\[\d[\d:]+[<,].*/s\]|\[\d[\d:]+[<,].*s/\w+\]")
# Widgets need a running kernel; the text that Jupyter stores beside them does not.
NEEDS_A_KERNEL = ("application/vnd.jupyter.widget-view+json",)
UNKNOWN_COMMAND = "<mi>\\"  # how latex2mathml outputs a command that it does not know
# Cells that the notebook's author collapsed (an exercise's answer) stay collapsed on the page.
TEMPLATE = """{% extends 'basic/index.html.j2' %}
{% block input_group %}
{% if cell.metadata.get('jupyter', {}).get('source_hidden') %}
<details class="folded"><summary>Show this cell’s code</summary>{{ super() }}</details>
{% else %}{{ super() }}{% endif %}
{% endblock input_group %}"""
NO_ALT = "No description has been provided for this image"


def mathml(tex: str, block: bool) -> str:
    """A formula as MathML; its TeX source, marked as such, where it can't be converted."""
    try:
        converted = latex2mathml.converter.convert(tex.strip(), display="block" if block else "inline")
    except Exception:  # the converter has no exception class of its own
        converted = UNKNOWN_COMMAND
    if UNKNOWN_COMMAND in converted:
        source = Markup.escape(tex.strip())
        return f'<code class="tex">{source}</code>'
    converted = converted.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")  # implied in HTML
    return f'<span class="formula">{converted}</span>' if block else converted


class OfflineRenderer(IPythonRenderer):
    """nbconvert's renderer of markdown cells, with MathML and with links that work offline."""

    def __init__(self, link_target: Callable[[str], str | None], **options: Any) -> None:
        super().__init__(**options)
        self._link_target = link_target

    def block_math(self, body: str) -> str:
        """A displayed formula as MathML."""
        return mathml(body, block=True)

    def inline_math(self, body: str) -> str:
        """An inline formula as MathML."""
        return mathml(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        """A LaTeX environment as MathML."""
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link, redirected into the site; its plain text where the site has no target."""
        if re.match(r"(https?:|mailto:|#)", url):
            return super().link(text, url, title)
        target = self._link_target(url)
        if target is None:  # a file of the repository that the site does not contain
            return f'<span class="in-repository" title="{Markup.escape(url)}">{text}</span>'
        return super().link(text, target, title or url.partition("#")[2] or None)


class OfflineExporter(HTMLExporter):
    """Notebook → the body of a page, for the report's own template."""

    def __init__(self, link_target: Callable[[str], str | None]) -> None:
        super().__init__(template_name="basic", raw_template=TEMPLATE)
        self.embed_images = True
        self._link_target = link_target

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Called by nbconvert's template for every markdown cell."""
        cell = context.get("cell", {})
        renderer = OfflineRenderer(
            self._link_target,
            escape=False,
            attachments=cell.get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            anchor_link_text="#",
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def link_target(
    experiments: set[str], records: set[tuple[str, str]], to_root: str
) -> Callable[[str], str | None]:
    """A function from a notebook's link to its address inside the site (None if there is none).

    Args:
        experiments: names with a page on the site.
        records: (experiment, run) of the committed records that the site has copies of.
        to_root: from the notebook's page to the site's root, such as "../../".
    """

    def target(url: str) -> str | None:
        record = RECORD_LINK.search(url)
        if record and (record[1], record[2]) in records:
            return f"{to_root}records/reference/{record[1]}/{record[2]}.json"
        notebook = NOTEBOOK_LINK.match(url)
        if notebook and notebook[1] in experiments:
            return f"{to_root}{page_of(notebook[1])}"
        return None

    return target


def notebook_body(path: Path, exporter: OfflineExporter) -> tuple[str, Markup]:
    """Title and HTML of an executed notebook; a sentence in its place where the file is damaged."""
    try:
        return _converted(path, exporter)
    except Exception as error:  # nbformat and nbconvert raise whatever a half-written file leads them to
        told = f"{path.name} cannot be shown ({type(error).__name__}): repeat the run with --force."
        return path.parent.name, Markup("<p>{}</p>").format(told)


def _converted(path: Path, exporter: OfflineExporter) -> tuple[str, Markup]:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not _is_progress(output)]
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in NEEDS_A_KERNEL:
                data.pop(kind, None)
            if "text/latex" in data and "text/html" not in data:
                data["text/html"] = mathml(data["text/latex"].strip().strip("$"), block=True)
    headings = (
        re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE)
        for cell in notebook.cells
        if cell.cell_type == "markdown"
    )
    title = next((heading[1].strip() for heading in headings if heading), path.parent.name)
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(path.parent)}})
    return title, Markup(body.replace(NO_ALT, "Figure drawn by the code above"))


def _is_progress(output: nbformat.NotebookNode) -> bool:
    """Whether an output is the last state of a progress bar, which is not shown on a page."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    return bool(lines) and all(PROGRESS.search(line) for line in lines)


def code_style() -> str:
    """Pygments' colours for code on light and dark pages."""
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{_no_ground(light)}\n@media (prefers-color-scheme: dark) {{\n{_no_ground(dark)}\n}}\n"


def _no_ground(style: str) -> str:
    """A style without backgrounds, which the page defines."""
    return re.sub(r"background(-color)?:[^;}]+;?", "", style)
