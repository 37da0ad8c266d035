# SPDX-License-Identifier: Apache-2.0
"""One module a benchmark: TITLE, TEXT and BAR say what it is, rows() measures."""
