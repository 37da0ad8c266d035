# SPDX-License-Identifier: Apache-2.0
"""`pytest --hypothesis-profile=long tests/combine` searches for hours, shrinks what it finds."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from combine_support import Tools, tools_in

ONCE = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
hypothesis.settings.register_profile(
    "quick", max_examples=40, derandomize=True, deadline=None, phases=ONCE
)
hypothesis.settings.register_profile("long", max_examples=20_000, deadline=None)
hypothesis.settings.load_profile("quick")


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tools]:
    with tools_in(tmp_path_factory.mktemp("tools")) as made:
        yield made
