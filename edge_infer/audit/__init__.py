"""The audit log: one line of JSON for each answer, refusal and failure, each chained to the line before it.

A record is on the disk before its answer is given out. It holds digests, codes and numbers: no names, no paths, no free
text, nothing of a patient. docs/audit.md tells what the log proves and what it does not.

Free of numpy, so that whoever checks a log needs none of what answers.
"""
