"""The certificate that is served, and the CA by which API servers know it.

Three ways: a CA of our own that is kept in a Secret, shared by all replicas, and from which each issues itself short
serving certificates (`authority`, `keeper`); cert-manager; or files from anywhere else. In all of them the server
follows the files, and `validity` says whether what is served would be believed.
"""
