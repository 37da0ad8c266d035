# SPDX-License-Identifier: Apache-2.0
"""A run on many hosts, and combining on them: docs/hosts.md, docs/combine.md.

`hosts` is a host's segment, `helper` what needs coverage.py for it, `home` where the rows end;
`tree` combines data files by levels. None of them knows Dask: that is `shmcov.dask`.
"""
