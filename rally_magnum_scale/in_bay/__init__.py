"""What is shipped into the pods of a bay, and nothing else.

It runs in Locust's own image, so it imports only Locust, gevent and the
standard library.
"""
