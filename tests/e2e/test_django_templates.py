# SPDX-License-Identifier: Apache-2.0
"""Django's templates with django_coverage_plugin: what ctrace reports of one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from project_support import Project, with_ctrace

pytest.importorskip("django_coverage_plugin")
pytestmark = with_ctrace

SETTINGS = """
    import os
    BASE = os.path.dirname(os.path.abspath(__file__))
    SECRET_KEY = "x"
    INSTALLED_APPS = ["app"]
    ROOT_URLCONF = "app.urls"
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    TEMPLATES = [{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(BASE, "templates")],
        "APP_DIRS": True,
        "OPTIONS": {"debug": True},
    }]
"""

VIEWS = """
    from django.shortcuts import render

    def shelf(request):
        books = ["one", "two"] if request.GET.get("books") else []
        return render(request, "shelf.html", {"books": books, "who": request.GET.get("who")})

    def broken(request):
        return render(request, "broken.html")
"""

URLS = """
    from django.urls import path
    from app import views
    urlpatterns = [path("shelf", views.shelf), path("broken", views.broken)]
"""

TAGS = """
    from django import template
    register = template.Library()

    @register.inclusion_tag("one_book.html")
    def book(title):
        return {"title": title}

    @register.simple_tag
    def fails():
        raise ValueError("on purpose")
"""

TESTS = """
    from django.template import engines
    from django.template.loader import render_to_string
    from django.test import SimpleTestCase

    class Shelf(SimpleTestCase):
        def test_full(self):
            self.assertContains(self.client.get("/shelf?books=1"), "two")

        def test_empty(self):
            self.assertContains(self.client.get("/shelf?who=you"), "Nothing for you")

    class Pages(SimpleTestCase):
        def test_broken(self):
            with self.assertRaises(ValueError):
                self.client.get("/broken")

        def test_from_text(self):
            page = engines["django"].from_string("{% include 'one_book.html' %}")
            self.assertIn("a book", page.render({}))

        def test_admin(self):
            self.assertIn("page", render_to_string("left_out/page.html"))
"""

TEMPLATES = {
    "templates/base.html": """
        <html>
        <title>{% block title %}Library{% endblock %}</title>
        {% comment %}
            {{ nobody }} sees this
        {% endcomment %}
        {% block body %}
            <p>never</p>
        {% endblock %}
        </html>
        """,
    "templates/shelf.html": """
        {% extends "base.html" %}
        {% load shelf_tags %}
        {% block title %}{{ block.super }}: shelf{% endblock %}
        {% block body %}
            {% for title in books %}
                {% book title %}
                {% if forloop.last %}
                    <hr>
                {% elif title == "none" %}
                    <b>{{ title }}</b>
                {% endif %}
            {% empty %}
                {% with name=who %}
                    Nothing for {{ name|default:"anybody"|upper|lower }}
                {% endwith %}
            {% endfor %}
            {% include "footer.html" with year=2026 %}
        {% endblock %}
        """,
    "templates/footer.html": """
        {% if year > 3000 %}
            the future
        {% else %}
            {{ year }}
        {% endif %}
        {{ missing.attribute.nowhere }}
        """,
    "templates/broken.html": """
        {% load shelf_tags %}
        before
        {% fails %}
        after
        """,
    "app/templates/one_book.html": """
        <li>
            a book: {{ title }}
        </li>
        """,
    "templates/left_out/page.html": "a page\n",
    "templates/never.html": "line\n{% if x %}\nline\n{% endif %}\n",
}

MANAGE = """
    import multiprocessing, os, sys

    os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"

    if __name__ == "__main__":
        from django.core.management import execute_from_command_line
        multiprocessing.set_start_method(os.environ["START_METHOD"])
        execute_from_command_line(sys.argv)
"""

RC = """
    [run]
    plugins = django_coverage_plugin
    source = .
    omit = {omit}
    {more}
    [report]
    omit = manage.py
"""


@pytest.fixture
def site(project: Project) -> Project:
    project.write("site_settings.py", SETTINGS)
    project.write("app/__init__.py", "")
    project.write("app/views.py", VIEWS)
    project.write("app/urls.py", URLS)
    project.write("app/templatetags/__init__.py", "")
    project.write("app/templatetags/shelf_tags.py", TAGS)
    project.write("app/tests.py", TESTS)
    project.write("manage.py", MANAGE)
    for name, text in TEMPLATES.items():
        project.write(name, text)
    return project


def run(site: Project, tool: str, start: str, processes: int, *options: str) -> None:
    command = getattr(site, tool)
    done = command(
        *["run", *options, "manage.py", "test", "--parallel", str(processes), "--no-input"],
        env={"START_METHOD": start},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 5 tests" in done.stderr
    assert "CoverageWarning" not in done.stderr


def templates(site: Project, data_file: str | Path = ".coverage") -> dict[str, Any]:
    """The report of the templates; contexts are in no order."""
    report = site.report(data_file)
    for file in report.values():
        file["contexts"] = {line: sorted(names) for line, names in file["contexts"].items()}
    return {name: file for name, file in report.items() if name.endswith(".html")}


@pytest.mark.parametrize("start", ["serial", "fork", "spawn"])
@pytest.mark.parametrize("more", ["", "branch = true", "dynamic_context = test_function"])
def test_tests_in_parallel(site: Project, more: str, start: str) -> None:
    site.write(".coveragerc", RC.format(more=more, omit="*/left_out/*"))
    run(site, "coverage", "fork", 1, "--data-file=theirs")
    run(site, "shmcov", "fork" if start == "serial" else start, 1 if start == "serial" else 2)
    expected = templates(site, "theirs")
    assert expected["templates/shelf.html"]["missing_lines"]
    assert expected["templates/broken.html"]["missing_lines"]
    assert not expected["templates/never.html"]["executed_lines"]
    assert "templates/left_out/page.html" not in expected
    if "test_function" in more:
        assert "app.tests.Shelf.test_full" in str(expected)
    assert templates(site) == expected
    assert site.data_files() == [".coverage"]

    # As a plug-in of coverage.py beside Django's.
    rc = RC.format(more=more, omit="*/left_out/*").replace("plugins =", "plugins = shmcov,")
    site.write(".coveragerc", rc)
    run(site, "coverage", "fork" if start == "serial" else start, 1 if start == "serial" else 2)
    assert templates(site) == expected


@pytest.mark.parametrize(
    "options", [("--include=templates/*",), ("--omit=*/footer.html,app/*",), ("--source=app",)]
)
def test_which_templates(site: Project, options: tuple[str, ...]) -> None:
    site.write(".coveragerc", "[run]\nplugins = django_coverage_plugin\n")
    run(site, "coverage", "fork", 1, "--data-file=theirs", *options)
    run(site, "shmcov", "spawn", 2, *options)
    expected = templates(site, "theirs")
    assert 0 < len(expected) < len(TEMPLATES)
    assert templates(site) == expected
