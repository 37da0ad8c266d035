# SPDX-License-Identifier: Apache-2.0
"""Data files of several runs, and one that is made of them: docs/combine.md.

`combining` calls the engine in C, `storage` fetches inputs and puts the output, wherever they lie,
`removal` removes inputs that are combined.
"""
