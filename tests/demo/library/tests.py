# SPDX-License-Identifier: Apache-2.0
"""The tests of the library: several classes, which Django hands out to its processes."""

from datetime import date, timedelta

from django.test import TestCase

from library.models import LOAN, Author, Book

TODAY = date(2026, 1, 1)


def book(title="Emma", name="Jane Austen"):
    author, _ = Author.objects.get_or_create(name=name)
    return Book.objects.create(title=title, author=author)


class LendingTests(TestCase):
    def test_a_book_is_lent_once(self):
        emma = book()
        emma.lend("Ada", TODAY)
        self.assertTrue(emma.is_lent)
        self.assertEqual(emma.due, TODAY + LOAN)
        with self.assertRaises(ValueError):
            emma.lend("Grace", TODAY)

    def test_names(self):
        self.assertEqual(str(book()), "Emma (Jane Austen)")


class ReturningTests(TestCase):
    def test_in_time(self):
        emma = book()
        emma.lend("Ada", TODAY)
        self.assertEqual(emma.take_back(TODAY + LOAN), 0)
        self.assertFalse(emma.is_lent)

    def test_late(self):
        emma = book()
        emma.lend("Ada", TODAY)
        self.assertEqual(emma.take_back(TODAY + LOAN + timedelta(days=3)), 2)


class ListTests(TestCase):
    def setUp(self):
        book()
        book("Ulysses", "James Joyce")

    def titles(self, **query):
        return self.client.get("/books/", query).json()["books"]

    def test_all(self):
        self.assertEqual(self.titles(), ["Emma (Jane Austen)", "Ulysses (James Joyce)"])

    def test_by_author(self):
        self.assertEqual(self.titles(author="joyce"), ["Ulysses (James Joyce)"])


class LendPageTests(TestCase):
    def test_lend(self):
        answer = self.client.post(f"/books/{book().pk}/lend/", {"reader": "Ada"})
        self.assertEqual(answer.status_code, 200)

    def test_no_name(self):
        answer = self.client.post(f"/books/{book().pk}/lend/", {})
        self.assertEqual(answer.status_code, 400)

    def test_no_book(self):
        self.assertEqual(self.client.post("/books/77/lend/").status_code, 404)
