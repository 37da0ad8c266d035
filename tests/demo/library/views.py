# SPDX-License-Identifier: Apache-2.0
"""The pages of the library."""

from datetime import date

from django import forms
from django.http import HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from library.models import Book


class LendForm(forms.Form):
    reader = forms.CharField(max_length=100)

    def clean_reader(self):
        reader = self.cleaned_data["reader"]
        if reader.islower():
            raise forms.ValidationError("A name begins with a capital letter.")
        return reader


def books(request):
    found = Book.objects.select_related("author").order_by("title")
    if author := request.GET.get("author"):
        found = found.filter(author__name__icontains=author)
    if request.GET.get("free"):
        found = found.filter(reader="")
    return JsonResponse({"books": [str(book) for book in found]})


@require_POST
def lend(request, pk):
    book = get_object_or_404(Book, pk=pk)
    form = LendForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest(form.errors.as_json())
    try:
        book.lend(form.cleaned_data["reader"], date.today())
    except ValueError as error:
        return HttpResponseBadRequest(str(error))
    return JsonResponse({"due": book.due.isoformat()})
