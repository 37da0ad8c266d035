# SPDX-License-Identifier: Apache-2.0
"""The coverage.py plug-in: `Coverage` objects that record in a segment. docs/backend.md says how.

hooks.py is what is put into coverage.py: a core and a collector.py. A collector has a session.py,
which is a segment and what this process does with it; data.py brings a segment into a
`CoverageData`. Everything that depends on the insides of coverage.py, beyond what plan.py reads, is
in this folder, and RELIES_ON in hooks.py names it.
"""
