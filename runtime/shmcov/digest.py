# SPDX-License-Identifier: Apache-2.0
"""What a run measures, to be compared by processes of it that have their own configuration."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from coverage.misc import isolate_module

os = isolate_module(os)


def of(config: Any) -> str:
    """Two words: how data is collected and where it goes; and which files are measured."""
    how = (
        os.path.abspath(config.data_file),
        config.branch,
        config.context,
        config.dynamic_context,
        config.relative_files,
        config.cover_pylib,
        os.getcwd(),
    )
    which = (
        config.source,
        config.source_pkgs,
        getattr(config, "source_dirs", None),  # 7.8
        config.run_include,
        config.run_omit,
    )
    return " ".join(hashlib.sha1(repr(part).encode()).hexdigest()[:16] for part in (how, which))
