"""Views: pure functions from plain data to text. They read no file, no clock and no cluster.

* `style`: colour, glyphs and width, decided once from the stream and the environment.
* `tables`, `numbers`: aligned columns; numbers with the digits that matter.
* `chart`, `plot`, `svg`: a chart as data, drawn in braille (or ASCII) or as SVG.
* `pareto`, `profile`, `describe`: what the commands of those names print.
"""
