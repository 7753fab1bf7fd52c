"""Conversion of a DGDR between v1alpha1 and v1beta1, without loss and in both directions.

Fields that both versions have are carried over, and what the source says of them always wins. What the target has no
field for is kept on it in two annotations, as the source version spells it, and is put back on the way home: the same
annotations, in the same form, that NVIDIA's operator writes and reads.

* `door`: what others call: `convert`, and `unsaid` for what v1beta1 has no field for.
* `spec`, `status`: what corresponds to what.
* `annotations`: what is kept, written and read, also as older operators wrote it.
* `trees`: reading, setting, removing and merging in nested objects that are never changed in place.
"""

from crds.conversion.door import convert, unsaid

__all__ = ["convert", "unsaid"]
