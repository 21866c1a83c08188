"""The process one engine runs in: it is asked in lines of JSON and answers in lines of JSON.

It imports nothing but the standard library until its engine is loaded, since import time and memory are measured.
"""
