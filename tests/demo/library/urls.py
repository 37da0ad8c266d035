# SPDX-License-Identifier: Apache-2.0
"""Where the pages of the library are."""

from django.urls import path

from library import views

urlpatterns = [
    path("books/", views.books),
    path("books/<int:pk>/lend/", views.lend),
]
