# SPDX-License-Identifier: Apache-2.0
"""One module for each benchmark: TITLE, TEXT and BAR describe it, rows() measures."""
