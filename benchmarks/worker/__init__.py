"""The process in which one engine runs: requests and replies are lines of JSON.

It imports only the standard library until its engine is loaded, because import time and memory are measured.
"""
