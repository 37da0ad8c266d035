# SPDX-License-Identifier: Apache-2.0
"""A library: books, and who has them. The app of `make demo`."""

from datetime import date, timedelta

from django.db import models

LOAN = timedelta(days=28)


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=200)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    reader = models.CharField(max_length=100, blank=True)
    due = models.DateField(null=True)

    def __str__(self):
        return f"{self.title} ({self.author})"

    @property
    def is_lent(self):
        return bool(self.reader)

    def lend(self, reader, today):
        if self.is_lent:
            raise ValueError(f"{self} is lent to {self.reader}")
        self.reader = reader
        self.due = today + LOAN
        self.save()

    def take_back(self, today):
        if not self.is_lent:
            raise ValueError(f"{self} is not lent")
        fee = self.fee(today)
        self.reader = ""
        self.due = None
        self.save()
        return fee

    def fee(self, today: date) -> int:
        if self.due is None or today <= self.due:
            return 0
        late = (today - self.due).days
        if late > 100:
            return 50
        return late // 2 + 1
