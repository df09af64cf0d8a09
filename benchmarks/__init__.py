"""Side-by-side benchmarks: ``python -m benchmarks [NAME ...]``.

Each prints one JSON object a line: ``bench``, ``subject`` (ours), ``peer``
(what it is compared with), ``ratio`` (above 1 is better for us) and the
``figures`` behind it.
"""
