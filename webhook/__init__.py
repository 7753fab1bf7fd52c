"""Admission: AdmissionReviews in, answers out, over TLS.

Never the reason that a cluster stands still: what it reads of the cluster comes from a watch cache, bad input gets a
well-formed answer, and every refusal rests on a CEL twin in `crds/` as well.
"""
