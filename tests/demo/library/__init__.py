# SPDX-License-Identifier: Apache-2.0
"""The app that `make demo` tests in parallel."""
