# SPDX-License-Identifier: Apache-2.0
"""Which tests a change may affect: docs/affected.md.

`blocks` cuts a source into blocks, `project` finds the sources, `store` keeps what a session
recorded, `record` makes that of a data file, `choose` compares it with what is there now.
"""
