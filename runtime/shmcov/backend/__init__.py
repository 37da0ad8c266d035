# SPDX-License-Identifier: Apache-2.0
"""The coverage.py plug-in: `Coverage` objects that record in a segment. docs/backend.md says how.

hooks.py puts a core and a collector (collector.py) into coverage.py. A collector has a session
(session.py): a segment, and what this process does with it. Where it delivers, delivering.py does,
and data.py brings a segment into a `CoverageData`. All that depends on coverage.py's internals,
beyond what plan.py reads, is in this folder, and RELIES_ON in hooks.py names it.
"""
