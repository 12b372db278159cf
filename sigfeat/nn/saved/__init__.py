"""Everything that is saved in a folder of JSON and safetensors, and its checks; every file is treated as untrusted.

`folders` reads and replaces folders as a whole, `documents` contains the format and its checksums, and `specs` checks
settings and weights against each other before a network is built. Embedders and language models share all three.
"""
